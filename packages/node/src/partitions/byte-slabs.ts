/**
 * Copies of keys and values that records keep until they are committed. Each is a view of a slab: a third of what
 * Buffer.allocUnsafe and Buffer.subarray cost, which is most of what a record of a short value costs.
 */
const SLAB_BYTES = 16 * 1024;
/** What is larger has memory of its own, so that a slab is not left half empty. */
const SHARED_BYTES_MAX = SLAB_BYTES / 8;
/** Up to here bytes are copied one by one: a native copy needs a view of the source. */
const LOOP_BYTES_MAX = 40;

export class ByteSlabs {
  #slab = new ArrayBuffer(SLAB_BYTES);
  #bytes = new Uint8Array(this.#slab);
  #at = 0;

  /** Bytes of its own, as long as it is kept. A slab lives as long as any copy in it. */
  copy(source: Uint8Array, start: number, end: number): Uint8Array {
    const length = end - start;
    if (length > SHARED_BYTES_MAX) return Uint8Array.prototype.slice.call(source, start, end);
    if (this.#at + length > SLAB_BYTES) {
      this.#slab = new ArrayBuffer(SLAB_BYTES);
      this.#bytes = new Uint8Array(this.#slab);
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += length;
    const copy = new Uint8Array(this.#slab, at, length);
    if (length > LOOP_BYTES_MAX) {
      this.#bytes.set(source.subarray(start, end), at);
    } else {
      const bytes = this.#bytes;
      for (let from = start, to = at; from < end; from++, to++) bytes[to] = source[from]!;
    }
    return copy;
  }
}
