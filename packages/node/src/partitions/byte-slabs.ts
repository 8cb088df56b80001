/**
 * Memory for keys and values that records need until they are committed: one behind the other in slabs, so that a record
 * of a short value costs no buffer and no view of its own.
 */
const SLAB_BYTES = 16 * 1024;
/** What is larger has memory of its own, so that a slab is not left half empty. */
export const SLAB_SHARE_BYTES_MAX = SLAB_BYTES / 8;
/** Up to here bytes are copied one by one: a native copy needs a view of the source. */
const LOOP_BYTES_MAX = 40;

export class ByteSlabs {
  /** What was taken last lies in it. It lives as long as anything in it is kept. */
  slab = new Uint8Array(SLAB_BYTES);
  #at = 0;

  /** So many bytes of `slab`, SLAB_SHARE_BYTES_MAX at most, are the caller's for ever, from the returned position on. */
  take(length: number): number {
    if (this.#at + length > SLAB_BYTES) {
      this.slab = new Uint8Array(SLAB_BYTES);
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start > LOOP_BYTES_MAX) target.set(source.subarray(start, end), at);
  else for (let from = start, to = at; from < end; from++, to++) target[to] = source[from]!;
}
