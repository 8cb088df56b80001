import { assert } from '@larder/base';
import { LarderError, type Outcome } from '@larder/proto';

/** Bytes outside the storage that a node lends to what is under way: large values in transfer, forwarded calls. */
export class ByteBudget {
  #taken = 0;

  constructor(readonly bytesMax: number) {}

  get taken(): number {
    return this.#taken;
  }

  /** False, and nothing taken, if it would go over the bound. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.bytesMax) return false;
    this.#taken += bytes;
    return true;
  }

  /** The answer to a call for which there was no room. */
  exhausted(bytes: number, outcome?: Outcome): LarderError {
    return new LarderError(
      'BUSY',
      `values under way hold ${this.#taken} bytes and this one has ${bytes}; allowed are ${this.bytesMax}`,
      { outcome },
    );
  }

  release(bytes: number): void {
    this.#taken -= bytes;
    assert(this.#taken >= 0, 'more bytes released than taken');
  }
}
