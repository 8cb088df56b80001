import type { GhostTable } from './ghost-table.js';
import { MODES, type Mode } from './modes.js';

/**
 * The lists and rules of the adaptive policy, for the entries of a cache or of a simulation.
 *
 * Three lists: the window Q, the main list L, and B for what has lost its place in either and is next to go. An entry has
 * three words, wherever they are:
 *
 *   +0  next            +1  previous            +2  list 2 | count 4 | epoch 4 | stamp 22
 *
 * `count` is the number of recent requests: it is halved for every epoch since the last one, and a new epoch begins when
 * the counts have grown by 15 an entry. `stamp` is the time of the last request in units of 1/4096 of a turnover. Both
 * wrap; only differences are used. What is evicted keeps count, epoch and stamp in a ghost table for a while.
 *
 * "Was asked for since the oldest of L was" is a comparison of stamps; it takes the place of the stack of LIRS.
 * Every request costs a bounded number of list steps. Sizes are weights in whatever unit the owner counts.
 */

const NEXT = 0;
const PREVIOUS = 1;
const STATE = 2;
export const MODAL_WORDS = 3;

const NONE = 0;
const Q = 1;
const B = 2;
const L = 3;

const COUNT_SHIFT = 26;
const COUNT_MAX = 15;
const EPOCH_SHIFT = 22;
const STAMP_MASK = (1 << EPOCH_SHIFT) - 1;
const STAMPS_PER_TURNOVER = 4096;
const GHOST_STAMPS_PER_TURNOVER = 256;
/** An epoch ends when counts have grown by this much an entry. */
const EPOCH_GROWTH = 15;
/** After so many epochs nothing is left of a count. */
const EPOCHS_KEPT = 3;
/** List steps per request with which a switch of modes is carried out. */
const REPAIRS_MAX = 4;
/** `count` modes: the share of L in what is not the window; the rest is B. */
const MAIN_SHARE = 0.8;
const LARGEST_SHARE_MAX = 1 / 4;

export class ModalLists {
  readonly #words: Uint32Array;
  /** Where an entry's three words are, from its ref on. */
  readonly #offset: number;
  readonly #weightOf: (ref: number) => number;

  readonly #first = new Uint32Array(4);
  readonly #last = new Uint32Array(4);
  readonly #weight = new Float64Array(4);

  #mode: Mode = MODES[0]!;
  #capacity = 0;
  /** The mean. */
  #entryWeight = 0;
  #windowWeight = 0;
  #mainWeight = 0;
  #keptWeight = 0;
  /** Of what came in this turnover and in the one before. */
  #largestNow = 0;
  #largestBefore = 0;
  #insertsOfTurnover = 0;

  #turnover = 1;
  #stampUnit = 1;
  #stampPart = 0;
  #stamp = 0;
  #ghostUnit = 1;
  #ghostPart = 0;
  #ghostStamp = 0;
  #epoch = 0;
  #growth = 0;

  #ghosts: GhostTable | undefined;
  #arrivingCount = 0;
  #arrivingEpoch = 0;
  #arrivingIsRecent = false;
  #evicted = false;

  constructor(words: Uint32Array, offset: number, weightOf: (ref: number) => number) {
    this.#words = words;
    this.#offset = offset;
    this.#weightOf = weightOf;
  }

  get weight(): number {
    return this.#weight[Q]! + this.#weight[B]! + this.#weight[L]!;
  }

  get ghosts(): GhostTable | undefined {
    return this.#ghosts;
  }

  set ghosts(table: GhostTable | undefined) {
    this.#ghosts = table;
  }

  /** `capacity` in weights, `turnover` the same in entries: the length of a turnover in requests. */
  setCapacity(capacity: number, turnover: number): void {
    this.#capacity = capacity;
    this.#turnover = Math.max(1, turnover);
    this.#stampUnit = Math.max(1, Math.floor(turnover / STAMPS_PER_TURNOVER));
    this.#ghostUnit = Math.max(1, Math.floor(turnover / GHOST_STAMPS_PER_TURNOVER));
    this.setMode(this.#mode);
  }

  setMode(mode: Mode): void {
    this.#mode = mode;
    const entryWeight = this.#capacity / this.#turnover;
    this.#entryWeight = entryWeight;
    this.#windowWeight =
      mode.kind === 'recency'
        ? this.#capacity
        : Math.min(Math.max(mode.window * this.#capacity, this.#windowWeightMin()), this.#capacity - entryWeight);
    this.#mainWeight = this.#capacity - this.#windowWeight;
    this.#keptWeight = MAIN_SHARE * this.#mainWeight;
  }

  /** The window must hold the largest entry, or that would push others out of L; but no more than a quarter for that. */
  #windowWeightMin(): number {
    const largest = Math.max(this.#largestNow, this.#largestBefore);
    return Math.max(this.#entryWeight, Math.min(largest, this.#capacity * LARGEST_SHARE_MAX));
  }

  #noteWeight(weight: number): void {
    if (weight > this.#largestNow) {
      const isLargest = weight > this.#largestBefore;
      this.#largestNow = weight;
      if (isLargest) this.setMode(this.#mode);
    }
    if (++this.#insertsOfTurnover < this.#turnover) return;
    this.#insertsOfTurnover = 0;
    this.#largestBefore = this.#largestNow;
    this.#largestNow = 0;
    this.setMode(this.#mode);
  }

  /** A request for an entry that is there. */
  hit(ref: number): void {
    this.#tick();
    this.#repair(ref);
    const state = this.#words[ref + this.#offset + STATE]!;
    const list = state >>> 30;
    if (this.#mode.kind === 'reuse') this.#hitReuse(ref, list, state);
    else if (this.#mode.kind === 'count' && list !== Q) this.#move(ref, list, L);
    else this.#move(ref, list, Q);
    this.#count(ref, (state >>> COUNT_SHIFT) & COUNT_MAX, (state >>> EPOCH_SHIFT) & 15);
  }

  /** A request for a key that is not there and will be inserted: before anything is evicted for it. */
  arrive(hash: number): void {
    this.#tick();
    this.#repair(0);
    this.#evicted = false;
    this.#arrivingCount = 0;
    this.#arrivingIsRecent = false;
    const ghosts = this.#ghosts;
    if (ghosts === undefined || !ghosts.take(hash)) return;
    this.#arrivingCount = ghosts.count;
    this.#arrivingEpoch = ghosts.epoch;
    const idle = ((this.#ghostStamp - ghosts.stamp) & 0x3fff) * this.#ghostUnit;
    this.#arrivingIsRecent = this.#last[L] === 0 || idle <= this.#idle(this.#last[L]!) * this.#stampUnit;
  }

  insert(ref: number): void {
    this.#noteWeight(this.#weightOf(ref));
    const admit = this.#evicted ? this.#arrivingIsRecent : this.#fitsMain(ref);
    if (this.#mode.kind === 'reuse' && admit) {
      this.#add(ref, L);
      this.#spillMain();
    } else {
      this.#add(ref, Q);
    }
    this.#count(ref, this.#arrivingCount, this.#arrivingEpoch);
    this.#arrivingCount = 0;
  }

  /** Inserts an entry that was removed before, with what was known about it, as one that was just asked for. */
  reinsert(ref: number): void {
    this.#add(ref, Q);
    const state = this.#words[ref + this.#offset + STATE]!;
    this.#count(ref, (state >>> COUNT_SHIFT) & COUNT_MAX, (state >>> EPOCH_SHIFT) & 15);
  }

  /** What shall go; 0 if there is nothing. It stays in its list until it is removed. */
  victim(): number {
    this.#evicted = true;
    if (this.#mode.kind === 'recency') return this.#oldest();
    return this.#mode.kind === 'reuse' ? this.#victimReuse() : this.#victimCount();
  }

  remove(ref: number): void {
    const list = this.#words[ref + this.#offset + STATE]! >>> 30;
    this.#unlink(ref, list);
    this.#weight[list]! -= this.#weightOf(ref);
    this.#setList(ref, NONE);
  }

  /** Removes an entry and remembers it as a ghost. */
  evict(ref: number, hash: number): void {
    const state = this.#words[ref + this.#offset + STATE]!;
    this.remove(ref);
    if (this.#ghosts === undefined) return;
    const idle = this.#idle(ref) * this.#stampUnit;
    const stamp = this.#ghostStamp - Math.floor(idle / this.#ghostUnit);
    this.#ghosts.add(hash, (state >>> COUNT_SHIFT) & COUNT_MAX, (state >>> EPOCH_SHIFT) & 15, stamp);
  }

  /** The entry's words were copied to another place. */
  moved(to: number): void {
    const words = this.#words;
    const at = to + this.#offset;
    const list = words[at + STATE]! >>> 30;
    const next = words[at + NEXT]!;
    const previous = words[at + PREVIOUS]!;
    if (next === 0) this.#last[list] = to;
    else words[next + this.#offset + PREVIOUS] = to;
    if (previous === 0) this.#first[list] = to;
    else words[previous + this.#offset + NEXT] = to;
  }

  /** The weight of an entry has changed by so much. */
  reweighed(ref: number, difference: number): void {
    this.#weight[this.#words[ref + this.#offset + STATE]! >>> 30]! += difference;
  }

  // A request: time, counts, and what is left to do of a switch of modes.

  #tick(): void {
    if (++this.#stampPart >= this.#stampUnit) {
      this.#stampPart = 0;
      this.#stamp = (this.#stamp + 1) & STAMP_MASK;
    }
    if (++this.#ghostPart >= this.#ghostUnit) {
      this.#ghostPart = 0;
      this.#ghostStamp++;
    }
  }

  #idle(ref: number): number {
    return (this.#stamp - this.#words[ref + this.#offset + STATE]!) & STAMP_MASK;
  }

  #count(ref: number, before: number, epoch: number): void {
    const epochs = (this.#epoch - epoch) & 15;
    let count = epochs > EPOCHS_KEPT ? 0 : before >>> epochs;
    if (count < COUNT_MAX) {
      count++;
      if (++this.#growth >= EPOCH_GROWTH * this.#turnover) {
        this.#growth /= 2;
        this.#epoch = (this.#epoch + 1) & 15;
      }
    }
    const at = ref + this.#offset + STATE;
    const list = this.#words[at]! >>> 30;
    this.#words[at] = (list << 30) | (count << COUNT_SHIFT) | (this.#epoch << EPOCH_SHIFT) | this.#stamp;
  }

  #countOf(ref: number): number {
    const state = this.#words[ref + this.#offset + STATE]!;
    const epochs = (this.#epoch - (state >>> EPOCH_SHIFT)) & 15;
    return epochs > EPOCHS_KEPT ? 0 : ((state >>> COUNT_SHIFT) & COUNT_MAX) >>> epochs;
  }

  #repair(requested: number): void {
    if (this.#mode.kind === 'reuse') {
      if (this.#weight[L]! < this.#mainWeight) this.#repairReuse(requested);
    } else if (this.#mode.kind === 'count') {
      if (this.#weight[L]! > this.#keptWeight || this.#weight[Q]! > this.#windowWeight) this.#repairCount(requested);
    }
  }

  /** L takes what B has, newest first, then what Q has too much. */
  #repairReuse(requested: number): void {
    for (let moves = 0; moves < REPAIRS_MAX; moves++) {
      const ref = this.#first[B]!;
      if (ref === 0 || ref === requested || !this.#fitsMain(ref)) break;
      this.#moveToEnd(ref, B);
    }
    for (let moves = 0; moves < REPAIRS_MAX && this.#weight[Q]! > this.#windowWeight; moves++) {
      const ref = this.#first[Q]!;
      if (ref === requested || !this.#fitsMain(ref)) break;
      this.#moveToEnd(ref, Q);
    }
  }

  #repairCount(requested: number): void {
    for (let moves = 0; moves < REPAIRS_MAX && this.#weight[L]! > this.#keptWeight; moves++) {
      const ref = this.#last[L]!;
      if (ref === requested || ref === 0) break;
      this.#move(ref, L, B);
    }
    for (let moves = 0; moves < REPAIRS_MAX && this.#weight[Q]! > this.#windowWeight; moves++) {
      const ref = this.#last[Q]!;
      if (ref === requested || ref === 0) break;
      this.#move(ref, Q, B);
    }
  }

  // The rules of the modes.

  #hitReuse(ref: number, list: number, state: number): void {
    if (list === L) {
      this.#move(ref, L, L);
      return;
    }
    const tail = this.#last[L]!;
    const recent = tail === 0 || ((this.#stamp - state) & STAMP_MASK) <= this.#idle(tail);
    if (recent || this.#fitsMain(ref)) {
      this.#move(ref, list, L);
      this.#spillMain();
    } else {
      this.#move(ref, list, Q);
    }
  }

  /** Whether one more entry would be too much. */
  #isWindowFull(): boolean {
    return this.#weight[Q]! + this.#entryWeight > this.#windowWeight;
  }

  #fitsMain(ref: number): boolean {
    return this.#weight[L]! + this.#weightOf(ref) <= this.#mainWeight;
  }

  /** What L has too much goes to the front of the window. */
  #spillMain(): void {
    for (let moves = 0; moves < REPAIRS_MAX && this.#weight[L]! > this.#mainWeight; moves++) {
      const tail = this.#last[L]!;
      if (tail === this.#first[L]) break;
      this.#move(tail, L, Q);
    }
  }

  #victimReuse(): number {
    const q = this.#last[Q]!;
    const b = this.#last[B]!;
    const l = this.#last[L]!;
    if (b !== 0) {
      if (q === 0 || !this.#isWindowFull() || this.#idle(b) >= this.#idle(q)) return b;
      return q;
    }
    if (q === 0) return l;
    if (l !== 0 && this.#weight[L]! > this.#mainWeight && this.#idle(l) > this.#idle(q)) return l;
    return q;
  }

  #victimCount(): number {
    const candidate = this.#last[Q]!;
    if (candidate === 0 || !this.#isWindowFull()) {
      return this.#last[B]! || this.#last[L]! || candidate;
    }
    this.#move(candidate, Q, B);
    if (this.#countOf(candidate) < this.#mode.countMin) return candidate;
    const tail = this.#last[B]!;
    return tail === candidate ? this.#last[L]! || candidate : tail;
  }

  #oldest(): number {
    let oldest = this.#last[Q]!;
    for (const list of [B, L]) {
      const other = this.#last[list]!;
      if (other !== 0 && (oldest === 0 || this.#idle(other) > this.#idle(oldest))) oldest = other;
    }
    return oldest;
  }

  // Lists.

  #move(ref: number, from: number, to: number): void {
    if (from === to && this.#first[to] === ref) return;
    this.#unlink(ref, from);
    this.#linkFirst(ref, to);
    if (from === to) return;
    const weight = this.#weightOf(ref);
    this.#weight[from]! -= weight;
    this.#weight[to]! += weight;
    this.#setList(ref, to);
  }

  /** Moves an entry to the end of L. */
  #moveToEnd(ref: number, from: number): void {
    this.#unlink(ref, from);
    const words = this.#words;
    const last = this.#last[L]!;
    words[ref + this.#offset + NEXT] = 0;
    words[ref + this.#offset + PREVIOUS] = last;
    if (last === 0) this.#first[L] = ref;
    else words[last + this.#offset + NEXT] = ref;
    this.#last[L] = ref;
    const weight = this.#weightOf(ref);
    this.#weight[from]! -= weight;
    this.#weight[L]! += weight;
    this.#setList(ref, L);
  }

  #add(ref: number, list: number): void {
    this.#linkFirst(ref, list);
    this.#weight[list]! += this.#weightOf(ref);
    this.#setList(ref, list);
  }

  #setList(ref: number, list: number): void {
    const at = ref + this.#offset + STATE;
    this.#words[at] = (this.#words[at]! & 0x3fffffff) | (list << 30);
  }

  #linkFirst(ref: number, list: number): void {
    const words = this.#words;
    const first = this.#first[list]!;
    words[ref + this.#offset + NEXT] = first;
    words[ref + this.#offset + PREVIOUS] = 0;
    if (first === 0) this.#last[list] = ref;
    else words[first + this.#offset + PREVIOUS] = ref;
    this.#first[list] = ref;
  }

  #unlink(ref: number, list: number): void {
    const words = this.#words;
    const next = words[ref + this.#offset + NEXT]!;
    const previous = words[ref + this.#offset + PREVIOUS]!;
    if (next === 0) this.#last[list] = previous;
    else words[next + this.#offset + PREVIOUS] = previous;
    if (previous === 0) this.#first[list] = next;
    else words[previous + this.#offset + NEXT] = next;
  }
}
