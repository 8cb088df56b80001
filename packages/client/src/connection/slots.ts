import type { Call } from './call.js';

/**
 * Calls in flight, by the id that travels with them: an array and a stack of free ids, 0.8 us an operation cheaper than
 * a Map (transport study). A call that was given up keeps its slot until the node's answer comes, so that a late answer
 * never reaches another call. Ids stay small, because the lowest were freed last and are taken first.
 */
export class Slots {
  readonly #calls: (Call | undefined)[] = [];
  readonly #free: Int32Array;
  #freeCount: number;

  constructor(readonly capacity: number) {
    this.#free = Int32Array.from({ length: capacity }, (_, index) => capacity - 1 - index);
    this.#freeCount = capacity;
  }

  get used(): number {
    return this.capacity - this.#freeCount;
  }

  /** A free id, or -1 if there is none. */
  take(call: Call): number {
    if (this.#freeCount === 0) return -1;
    const slot = this.#free[--this.#freeCount]!;
    this.#calls[slot] = call;
    return slot;
  }

  /** Undefined for an id that is not in flight. */
  release(slot: number): Call | undefined {
    const call = this.#calls[slot];
    if (call === undefined) return undefined;
    this.#calls[slot] = undefined;
    this.#free[this.#freeCount++] = slot;
    return call;
  }

  releaseAll(): Call[] {
    const all: Call[] = [];
    for (let slot = 0; slot < this.#calls.length; slot++) {
      const call = this.release(slot);
      if (call) all.push(call);
    }
    return all;
  }

  forEachDue(nowMs: number, visit: (call: Call) => void): void {
    for (const call of this.#calls) {
      if (call !== undefined && !call.settled && call.deadlineMs <= nowMs) visit(call);
    }
  }
}
