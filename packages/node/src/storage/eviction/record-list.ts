import { EVICTION_STATE } from '../record.js';

const NEXT = EVICTION_STATE;
const PREVIOUS = EVICTION_STATE + 1;

/** Words that membership takes in a record. */
export const LIST_WORDS = 2;

/** A list of entries, linked through their records. */
export class RecordList {
  readonly #words: Uint32Array;
  #first = 0;
  #last = 0;

  constructor(words: Uint32Array) {
    this.#words = words;
  }

  get last(): number {
    return this.#last;
  }

  addFirst(ref: number): void {
    const words = this.#words;
    const first = this.#first;
    words[ref + NEXT] = first;
    words[ref + PREVIOUS] = 0;
    if (first === 0) this.#last = ref;
    else words[first + PREVIOUS] = ref;
    this.#first = ref;
  }

  remove(ref: number): void {
    const words = this.#words;
    const next = words[ref + NEXT]!;
    const previous = words[ref + PREVIOUS]!;
    if (next === 0) this.#last = previous;
    else words[next + PREVIOUS] = previous;
    if (previous === 0) this.#first = next;
    else words[previous + NEXT] = next;
  }

  toFirst(ref: number): void {
    if (ref === this.#first) return;
    this.remove(ref);
    this.addFirst(ref);
  }

  /** The record, with its links, is now at `to`. */
  moved(to: number): void {
    const words = this.#words;
    const next = words[to + NEXT]!;
    const previous = words[to + PREVIOUS]!;
    if (next === 0) this.#last = to;
    else words[next + PREVIOUS] = to;
    if (previous === 0) this.#first = to;
    else words[previous + NEXT] = to;
  }
}
