import { assert } from '@larder/base';

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

  release(bytes: number): void {
    this.#taken -= bytes;
    assert(this.#taken >= 0, 'more bytes released than taken');
  }
}
