import { EVICTION_STATE } from '../record.js';
import { EvictionPolicy, type PolicyContext } from './eviction-policy.js';
import { LIST_WORDS, RecordList } from './record-list.js';

/** The smallest charge of an entry: a record without key and value, and its index slot. */
const CHARGE_MIN = 36;
/** Ends are compared in units of 128 ms, which reach 17 years ahead in 32 bits. */
const UNIT_MS = 128;
const END_MAX = 0xffffffff;
const ARITY = 4;

/**
 * Evicts what would expire next; among entries that never expire, which go last, what was put first. A heap of four
 * branches holds the ends, so a step of it looks at one cache line; each entry knows its place. Like RandomEviction, the
 * arrays are reserved for as many entries as could ever fit.
 *
 * Choose it where the life says what an entry is worth: answers with a long life were expensive or are stable, those with
 * a short one are about to be useless anyway.
 */
export class TtlEviction extends EvictionPolicy {
  readonly recordWords = LIST_WORDS;
  override readonly entryBytes = 8;
  readonly #words: Uint32Array;
  readonly #endMs: (ref: number) => number;
  readonly #neverExpiring: RecordList;
  readonly #ends: Uint32Array;
  readonly #refs: Uint32Array;
  #count = 0;

  constructor({ words, memoryBytesMax, endMs }: PolicyContext) {
    super();
    this.#words = words;
    this.#endMs = endMs;
    this.#neverExpiring = new RecordList(words);
    const entriesMax = Math.ceil(Math.min(memoryBytesMax, words.byteLength) / CHARGE_MIN);
    this.#ends = new Uint32Array(entriesMax);
    this.#refs = new Uint32Array(entriesMax);
  }

  insert(ref: number): void {
    const endMs = this.#endMs(ref);
    if (endMs === Infinity) this.#neverExpiring.addFirst(ref);
    else this.#rise(this.#count++, ref, Math.min(END_MAX, Math.floor(endMs / UNIT_MS)));
  }

  use(): void {}

  remove(ref: number): void {
    if (!this.#isInHeap(ref)) {
      this.#neverExpiring.remove(ref);
      return;
    }
    const place = this.#words[ref + EVICTION_STATE]!;
    const last = --this.#count;
    if (place === last) return;
    const end = this.#ends[last]!;
    if (end < this.#ends[place]!) this.#rise(place, this.#refs[last]!, end);
    else this.#sink(place, this.#refs[last]!, end);
  }

  victim(): number {
    return this.#count > 0 ? this.#refs[0]! : this.#neverExpiring.last;
  }

  moved(from: number, to: number): void {
    const place = this.#words[to + EVICTION_STATE]!;
    if (place < this.#count && this.#refs[place] === from) this.#refs[place] = to;
    else this.#neverExpiring.moved(to);
  }

  override endChanged(ref: number): void {
    this.remove(ref);
    this.insert(ref);
  }

  /** A link of the list could be taken for a place of the heap, but no place holds an entry of the list. */
  #isInHeap(ref: number): boolean {
    const place = this.#words[ref + EVICTION_STATE]!;
    return place < this.#count && this.#refs[place] === ref;
  }

  #rise(from: number, ref: number, end: number): void {
    let place = from;
    while (place > 0) {
      const parent = Math.floor((place - 1) / ARITY);
      if (this.#ends[parent]! <= end) break;
      this.#put(place, this.#refs[parent]!, this.#ends[parent]!);
      place = parent;
    }
    this.#put(place, ref, end);
  }

  #sink(from: number, ref: number, end: number): void {
    const ends = this.#ends;
    let place = from;
    for (;;) {
      const first = place * ARITY + 1;
      if (first >= this.#count) break;
      let child = first;
      const behind = Math.min(first + ARITY, this.#count);
      for (let other = first + 1; other < behind; other++) if (ends[other]! < ends[child]!) child = other;
      if (ends[child]! >= end) break;
      this.#put(place, this.#refs[child]!, ends[child]!);
      place = child;
    }
    this.#put(place, ref, end);
  }

  #put(place: number, ref: number, end: number): void {
    this.#ends[place] = end;
    this.#refs[place] = ref;
    this.#words[ref + EVICTION_STATE] = place;
  }
}
