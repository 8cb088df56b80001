import { EVICTION_STATE } from '../record.js';
import { EvictionPolicy, type PolicyContext } from './eviction-policy.js';
import { LIST_WORDS, RecordList } from './record-list.js';

const STATE = EVICTION_STATE + LIST_WORDS;
const COUNT_MAX = 15;
/** An epoch ends when counts have grown by this much an entry. */
const EPOCH_GROWTH = 4;
/** After so many epochs nothing is left of a count of 15. */
const EPOCHS_KEPT = 3;

/**
 * Evicts what was asked for least, and among those what was not asked for the longest. Sixteen lists, one for each count
 * from 0 to 15. Counts age, or what was popular once would stay for ever: with every epoch all are halved, which is made
 * up for an entry when it is used, or when it is the last of its list and that list's turn comes, one list a request.
 *
 *   record words: next | previous | epoch 28, count 4
 *
 * Choose it where a few entries are asked for much more than the rest, for a long time (catalogues, reference data), and
 * new ones seldom matter. It resists scans; what becomes popular suddenly has to be asked for twice before it stays.
 */
export class Lfu extends EvictionPolicy {
  readonly recordWords = LIST_WORDS + 1;
  readonly #words: Uint32Array;
  readonly #lists: RecordList[];
  #entries = 0;
  #epoch = 0;
  #growth = 0;
  #turn = 0;

  constructor({ words }: PolicyContext) {
    super();
    this.#words = words;
    this.#lists = Array.from({ length: COUNT_MAX + 1 }, () => new RecordList(words));
  }

  insert(ref: number): void {
    this.#entries++;
    this.#add(ref, 1);
    this.#grow();
  }

  override readmit(ref: number): void {
    this.#entries++;
    this.#add(ref, this.#agedCount(ref));
  }

  use(ref: number): void {
    const count = this.#agedCount(ref);
    this.#list(ref).remove(ref);
    this.#add(ref, Math.min(COUNT_MAX, count + 1));
    if (count < COUNT_MAX) this.#grow();
  }

  remove(ref: number): void {
    this.#list(ref).remove(ref);
    this.#entries--;
  }

  victim(): number {
    for (const list of this.#lists) if (list.last !== 0) return list.last;
    return 0;
  }

  moved(_from: number, to: number): void {
    this.#list(to).moved(to);
  }

  #list(ref: number): RecordList {
    return this.#lists[this.#words[ref + STATE]! & COUNT_MAX]!;
  }

  #add(ref: number, count: number): void {
    this.#words[ref + STATE] = (this.#epoch << 4) | count;
    this.#lists[count]!.addFirst(ref);
  }

  #agedCount(ref: number): number {
    const state = this.#words[ref + STATE]!;
    const epochs = this.#epoch - (state >>> 4);
    return epochs > EPOCHS_KEPT ? 0 : (state & COUNT_MAX) >>> epochs;
  }

  #grow(): void {
    this.#ageOne();
    if (++this.#growth < EPOCH_GROWTH * this.#entries) return;
    this.#growth /= 2;
    this.#epoch = (this.#epoch + 1) & 0xfffffff;
  }

  #ageOne(): void {
    this.#turn = (this.#turn % COUNT_MAX) + 1;
    const ref = this.#lists[this.#turn]!.last;
    if (ref === 0) return;
    const count = this.#agedCount(ref);
    if (count === this.#turn) return;
    this.#lists[this.#turn]!.remove(ref);
    this.#add(ref, count);
  }
}
