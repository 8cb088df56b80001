/**
 * Requests of one client by their number: open addressing over the low bits of the number, so that requests that came one
 * after the other lie side by side. Nothing is removed; when three quarters are used, what still counts moves to a new
 * table. 32 bytes a slot, and nothing for the garbage collector to look at.
 */
const SLOTS_MIN = 16;

export class RequestSlots {
  /** Number, seq and epoch of a slot; number 0: it is free. */
  #numbers: Float64Array;
  /** Log and result of a slot. */
  #facts: Int32Array;
  #mask: number;
  #used = 0;

  constructor(slots = SLOTS_MIN) {
    this.#numbers = new Float64Array(3 * slots);
    this.#facts = new Int32Array(2 * slots);
    this.#mask = slots - 1;
  }

  get length(): number {
    return this.#mask + 1;
  }

  get isEmpty(): boolean {
    return this.#used === 0;
  }

  get isFull(): boolean {
    return 4 * this.#used >= 3 * this.length;
  }

  /** The slot of a request; -1: it is not there. */
  find(number: number): number {
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
    const tidied = new RequestSlots(length);
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
    let slot = number & mask;
    while (numbers[3 * slot] !== 0 && numbers[3 * slot] !== number) slot = (slot + 1) & mask;
    return slot;
  }
}
