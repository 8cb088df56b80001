import { EvictionPolicy, type PolicyContext } from './eviction-policy.js';
import { LIST_WORDS, RecordList } from './record-list.js';

/**
 * Evicts what was not used for the longest time. Exact: one list; a use moves the entry to its front.
 *
 * Choose it where what was asked for lately is what is asked for next (sessions, feeds, anything that follows the clock),
 * and where its predictability is worth more than a better hit ratio. A scan or a loop larger than the cache empties it.
 */
export class Lru extends EvictionPolicy {
  readonly recordWords = LIST_WORDS;
  readonly #list: RecordList;

  constructor({ words }: PolicyContext) {
    super();
    this.#list = new RecordList(words);
  }

  insert(ref: number): void {
    this.#list.addFirst(ref);
  }

  use(ref: number): void {
    this.#list.toFirst(ref);
  }

  remove(ref: number): void {
    this.#list.remove(ref);
  }

  victim(): number {
    return this.#list.last;
  }

  moved(_from: number, to: number): void {
    this.#list.moved(to);
  }
}
