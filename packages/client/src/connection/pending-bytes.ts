import type { LarderError } from '@larder/proto';
import type { Call } from './call.js';
import { pendingBytesError } from './call-errors.js';

/** What the values of calls to one node, in flight or waiting, take together. */
export class PendingBytes {
  #bytes = 0;

  constructor(
    readonly node: string,
    readonly bytesMax: number,
  ) {}

  /** Counts the call's value. Returns BUSY if there is no room for it. */
  admit(call: Call): LarderError | undefined {
    if (call.value === undefined) return undefined;
    if (this.#bytes + call.value.length > this.bytesMax) return pendingBytesError(call, this.node, this.bytesMax);
    this.#bytes += call.value.length;
    return undefined;
  }

  forget(call: Call): void {
    if (call.value !== undefined) this.#bytes -= call.value.length;
  }
}
