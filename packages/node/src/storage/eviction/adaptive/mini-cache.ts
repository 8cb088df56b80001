import { MODAL_WORDS, ModalLists } from './modal-lists.js';
import type { Mode } from './modes.js';
import { SmallGhosts } from './small-ghosts.js';

/**
 * A simulation of a cache in one mode, for a sample of its keys: no values, only hashes and weights. An entry has six
 * words; its number is its ref.
 *
 *   +0..2  modal-lists.ts     +3  weight     +4  hash     +5  next in its chain of the hash table, or of the unused
 */
const WEIGHT = MODAL_WORDS;
const HASH = MODAL_WORDS + 1;
const CHAIN = MODAL_WORDS + 2;
const ENTRY_WORDS = MODAL_WORDS + 3;

/** What one entry takes: its words, its share of the hash table, and its ghosts. */
export function miniCacheBytesPerEntry(ghostsPerEntry: number): number {
  return (ENTRY_WORDS + 1 + ghostsPerEntry) * 4;
}

export class MiniCache {
  readonly #words: Uint32Array;
  readonly #chains: Uint32Array;
  readonly #lists: ModalLists;
  readonly #capacity: number;
  #unused = 0;

  /** At most `entriesMax` entries with a total weight of `capacity`; `turnover` entries fill it. */
  constructor(mode: Mode, entriesMax: number, capacity: number, turnover: number, ghostsPerEntry: number) {
    this.#words = new Uint32Array((entriesMax + 1) * ENTRY_WORDS);
    this.#chains = new Uint32Array(entriesMax);
    this.#lists = new ModalLists(this.#words, 0, (ref) => this.#words[ref + WEIGHT]!);
    this.#lists.setMode(mode);
    this.#lists.setCapacity(capacity, turnover);
    this.#lists.ghosts = new SmallGhosts(Math.round(turnover * ghostsPerEntry));
    this.#capacity = capacity;
    for (let number = entriesMax; number > 0; number--) this.#release(number * ENTRY_WORDS);
  }

  /** Whether the key was there. It is now. */
  request(hash: number, weight: number): boolean {
    const ref = this.#find(hash);
    if (ref !== 0) {
      this.#lists.reweighed(ref, weight - this.#words[ref + WEIGHT]!);
      this.#words[ref + WEIGHT] = weight;
      this.#lists.hit(ref);
      return true;
    }
    this.#lists.arrive(hash);
    if (weight <= this.#capacity) this.#insert(hash, weight);
    return false;
  }

  remove(hash: number): void {
    const ref = this.#find(hash);
    if (ref === 0) return;
    this.#lists.remove(ref);
    this.#unchain(ref);
    this.#release(ref);
  }

  #insert(hash: number, weight: number): void {
    while (this.#unused === 0 || this.#lists.weight + weight > this.#capacity) {
      const victim = this.#lists.victim();
      this.#lists.evict(victim, this.#words[victim + HASH]!);
      this.#unchain(victim);
      this.#release(victim);
    }
    const words = this.#words;
    const ref = this.#unused;
    this.#unused = words[ref + CHAIN]!;
    const chain = this.#chainOf(hash);
    words[ref + WEIGHT] = weight;
    words[ref + HASH] = hash;
    words[ref + CHAIN] = this.#chains[chain]!;
    this.#chains[chain] = ref;
    this.#lists.insert(ref);
  }

  #find(hash: number): number {
    const words = this.#words;
    let ref = this.#chains[this.#chainOf(hash)]!;
    while (ref !== 0 && words[ref + HASH] !== hash) ref = words[ref + CHAIN]!;
    return ref;
  }

  #unchain(ref: number): void {
    const words = this.#words;
    const chain = this.#chainOf(words[ref + HASH]!);
    const next = words[ref + CHAIN]!;
    if (this.#chains[chain] === ref) {
      this.#chains[chain] = next;
      return;
    }
    let before = this.#chains[chain]!;
    while (words[before + CHAIN] !== ref) before = words[before + CHAIN]!;
    words[before + CHAIN] = next;
  }

  #release(ref: number): void {
    this.#words[ref + CHAIN] = this.#unused;
    this.#unused = ref;
  }

  /** The lower bits: the upper ones are alike in a sample. */
  #chainOf(hash: number): number {
    return (hash & 0xffffff) % this.#chains.length;
  }
}
