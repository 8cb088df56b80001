/** How values become bytes and back. Both directions may throw; the caller then sees CODEC with the cause. */
export interface Codec<V> {
  readonly name: string;
  /** The bytes are only read until the call's promise settles. */
  encode(value: V): Uint8Array;
  /**
   * Decodes [start, end) of a received frame. The frame belongs to the decoder alone and is never reused, so a view of
   * it may be returned, at the price of keeping the whole frame (up to some 100 KiB) alive.
   */
  decode(frame: Buffer, start: number, end: number): V;
}
