import { MissCause } from '@larder/loader';

/**
 * Why keys are not here any more: a word for each of the last departures, written over by those that come later. A key
 * has one place, found by the upper bits of its hash; in the word are the other bits and the cause, so that a key that
 * was never here is taken for one that was in about one of 2^32 / places cases. Of N departures since, the chance that
 * one is still known is e^(-N / places).
 *
 *   hash 29 | cause 3          (0: empty; a cause of 0, cold, is not kept)
 *
 * Costs one step into a table at each departure and each miss, and nothing at hits. It takes 1/256 of the node's memory,
 * 16 MiB at most, and counts to it.
 */
const MEMORY_SHARE = 1 / 256;
const PLACES_MIN = 64;
const PLACES_MAX = 4 * 1024 * 1024;
const CAUSE_BITS = 3;
const CAUSE_MASK = (1 << CAUSE_BITS) - 1;

export class Departures {
  readonly #words: Uint32Array;
  readonly #shift: number;

  constructor(memoryBytesMax: number) {
    const wanted = Math.min(PLACES_MAX, Math.max(PLACES_MIN, (memoryBytesMax * MEMORY_SHARE) / 4));
    const bits = Math.floor(Math.log2(wanted));
    this.#words = new Uint32Array(2 ** bits);
    this.#shift = 32 - bits;
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  note(hash: number, cause: MissCause): void {
    this.#words[hash >>> this.#shift] = cause === MissCause.cold ? 0 : (hash << CAUSE_BITS) | cause;
  }

  causeOf(hash: number): MissCause {
    const word = this.#words[hash >>> this.#shift]!;
    const isIts = word >>> CAUSE_BITS === (hash << CAUSE_BITS) >>> CAUSE_BITS;
    return isIts ? ((word & CAUSE_MASK) as MissCause) : MissCause.cold;
  }
}
