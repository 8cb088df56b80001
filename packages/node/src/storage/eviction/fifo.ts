import { EvictionPolicy, type PolicyContext } from './eviction-policy.js';
import { LIST_WORDS, RecordList } from './record-list.js';

/**
 * Evicts what was put first, however much it is used. Exact: one list; a read changes nothing, an overwritten entry
 * keeps its place.
 *
 * Choose it where reads must cost as little as possible and entries age at the same pace, such as a buffer of the latest
 * events. Almost every other workload has a better hit ratio with any other policy.
 */
export class Fifo extends EvictionPolicy {
  readonly recordWords = LIST_WORDS;
  readonly #list: RecordList;

  constructor({ words }: PolicyContext) {
    super();
    this.#list = new RecordList(words);
  }

  insert(ref: number): void {
    this.#list.addFirst(ref);
  }

  use(): void {}

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
