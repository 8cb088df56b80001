import { EVICTION_STATE } from '../record.js';
import { EvictionPolicy, type PolicyContext } from './eviction-policy.js';

/** The smallest charge of an entry: a record without key and value, and its index slot. */
const CHARGE_MIN = 36;

/**
 * Evicts any entry, each with the same chance. An array holds all of them, and each knows its place in it; the last one
 * fills the gap of one that leaves. The array is reserved for as many entries as could ever fit and touched as far as it
 * is used.
 *
 * Choose it where every entry is as likely to be asked for as any other, or where a loop somewhat larger than the cache
 * must keep some of its hits without the state that the adaptive policy needs. It resists any pattern and profits of none.
 */
export class RandomEviction extends EvictionPolicy {
  readonly recordWords = 1;
  override readonly entryBytes = 4;
  readonly #words: Uint32Array;
  readonly #integer: (below: number) => number;
  readonly #refs: Uint32Array;
  #count = 0;

  constructor({ words, memoryBytesMax, integer }: PolicyContext) {
    super();
    this.#words = words;
    this.#integer = integer;
    this.#refs = new Uint32Array(Math.ceil(Math.min(memoryBytesMax, words.byteLength) / CHARGE_MIN));
  }

  insert(ref: number): void {
    this.#put(this.#count++, ref);
  }

  use(): void {}

  remove(ref: number): void {
    const place = this.#words[ref + EVICTION_STATE]!;
    const last = this.#refs[--this.#count]!;
    this.#put(place, last);
  }

  victim(): number {
    return this.#count === 0 ? 0 : this.#refs[this.#integer(this.#count)]!;
  }

  moved(_from: number, to: number): void {
    this.#refs[this.#words[to + EVICTION_STATE]!] = to;
  }

  #put(place: number, ref: number): void {
    this.#refs[place] = ref;
    this.#words[ref + EVICTION_STATE] = place;
  }
}
