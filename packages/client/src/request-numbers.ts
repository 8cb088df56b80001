import type { Random } from '@larder/base';

/**
 * What names a client's writes, so that one that is sent again is applied once: the client's id, a number for each write,
 * and the number below which all are settled, which lets the nodes forget what they were told.
 *
 * Writes settle in any order. A ring has a byte for each number from `settledBelow` to the last one; it grows by doubling.
 * At its bound, which takes a write that has been under way for four million others, `settledBelow` moves past the oldest
 * write all the same: that one is then not sent again if it is in doubt.
 */

const NUMBERS_FIRST = 1_024;
const NUMBERS_MAX = 4 * 1024 * 1024;

export class RequestNumbers {
  /** 53 bits, and never 0, which means that there is none. */
  readonly clientId: number;
  /** All writes with lower numbers have been answered or given up. */
  settledBelow = 1;
  /** The number given last. */
  last = 0;
  #isSettled: Uint8Array;

  constructor(
    random: Random,
    readonly numbersMax = NUMBERS_MAX,
  ) {
    this.clientId = (random.uint32() & 0x1fffff) * 2 ** 32 + random.uint32() || 1;
    this.#isSettled = new Uint8Array(Math.min(NUMBERS_FIRST, numbersMax));
  }

  next(): number {
    const number = ++this.last;
    if (number - this.settledBelow >= this.#isSettled.length) this.#makeRoom();
    return number;
  }

  /** The write with that number will not be sent again. */
  settle(number: number): void {
    if (number === this.settledBelow) this.#advance();
    else if (number > this.settledBelow) this.#isSettled[number & (this.#isSettled.length - 1)] = 1;
  }

  #advance(): void {
    const isSettled = this.#isSettled;
    const mask = isSettled.length - 1;
    for (let next = this.settledBelow + 1; ; next++) {
      if (isSettled[next & mask] === 0) {
        this.settledBelow = next;
        return;
      }
      isSettled[next & mask] = 0;
    }
  }

  #makeRoom(): void {
    const before = this.#isSettled;
    if (before.length === this.numbersMax) {
      this.#advance();
      return;
    }
    const grown = new Uint8Array(before.length * 2);
    for (let number = this.settledBelow; number < this.last; number++) {
      grown[number & (grown.length - 1)] = before[number & (before.length - 1)]!;
    }
    this.#isSettled = grown;
  }
}
