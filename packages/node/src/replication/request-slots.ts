/**
 * Requests of one client by their number, with open addressing. Eight numbers in a row lie side by side, since requests
 * come one after the other; where each eight lie is a keyed hash, so that nobody can choose numbers that meet. Nothing is
 * removed; when three quarters are used, what still counts moves to a new table. 32 bytes a slot, and nothing for the
 * garbage collector to look at.
 */
const SLOTS_MIN = 16;
/** Numbers that lie side by side. */
const ROW = 8;

export class RequestSlots {
  /** Number, seq and epoch of a slot; number 0: it is free. */
  readonly #numbers: Float64Array;
  /** Log and result of a slot. */
  readonly #facts: Int32Array;
  readonly #mask: number;
  readonly #shift: number;
  #used = 0;
  /** The highest number in it: what comes for the first time is above. */
  #highest = 0;

  constructor(
    readonly hashKey: number,
    slots = SLOTS_MIN,
  ) {
    this.#numbers = new Float64Array(3 * slots);
    this.#facts = new Int32Array(2 * slots);
    this.#mask = slots - 1;
    this.#shift = 32 - Math.log2(slots / ROW);
  }

  get length(): number {
    return this.#mask + 1;
  }

  get highest(): number {
    return this.#highest;
  }

  get isFull(): boolean {
    return 4 * this.#used >= 3 * this.length;
  }

  /** The slot of a request; -1: it is not there. */
  find(number: number): number {
    if (number > this.#highest || number < 1) return -1;
    const slot = this.#slotFor(number);
    return this.#numbers[3 * slot] === number ? slot : -1;
  }

  number(slot: number): number {
    return this.#numbers[3 * slot]!;
  }

  seq(slot: number): number {
    return this.#numbers[3 * slot + 1]!;
  }

  log(slot: number): number {
    return this.#facts[2 * slot]!;
  }

  epoch(slot: number): number {
    return this.#numbers[3 * slot + 2]!;
  }

  result(slot: number): number {
    return this.#facts[2 * slot + 1]!;
  }

  /** Only while it is not full. */
  put(number: number, log: number, epoch: number, seq: number, result: number): void {
    const slot = this.#slotFor(number);
    if (this.#numbers[3 * slot] === 0) this.#used++;
    if (number > this.#highest) this.#highest = number;
    this.#numbers[3 * slot] = number;
    this.#numbers[3 * slot + 1] = seq;
    this.#numbers[3 * slot + 2] = epoch;
    this.#facts[2 * slot] = log;
    this.#facts[2 * slot + 1] = result;
  }

  /** Leaves out what does not count any more, with room for as much again. */
  tidied(counts: (log: number, number: number) => boolean): RequestSlots {
    const kept: number[] = [];
    this.forEach((slot) => {
      if (counts(this.log(slot), this.number(slot))) kept.push(slot);
    });
    let length = SLOTS_MIN;
    while (8 * kept.length > 3 * length) length *= 2;
    const tidied = new RequestSlots(this.hashKey, length);
    for (const slot of kept) {
      tidied.put(this.number(slot), this.log(slot), this.epoch(slot), this.seq(slot), this.result(slot));
    }
    return tidied;
  }

  forEach(visit: (slot: number) => void): void {
    for (let slot = 0; slot <= this.#mask; slot++) if (this.#numbers[3 * slot] !== 0) visit(slot);
  }

  /** Where it is, or the free slot where it would be. */
  #slotFor(number: number): number {
    const numbers = this.#numbers;
    const mask = this.#mask;
    let slot = this.#home(number);
    while (numbers[3 * slot] !== 0 && numbers[3 * slot] !== number) slot = (slot + 1) & mask;
    return slot;
  }

  /** The finalizer of MurmurHash3, keyed. */
  #home(number: number): number {
    let row = (number >>> 3) ^ Math.imul((number / 2 ** 32) | 0, 0x9e3779b1) ^ this.hashKey;
    row = Math.imul(row ^ (row >>> 16), 0x85ebca6b);
    row = Math.imul(row ^ (row >>> 13), 0xc2b2ae35);
    return (((row ^ (row >>> 16)) >>> this.#shift) * ROW) | (number & (ROW - 1));
  }
}
