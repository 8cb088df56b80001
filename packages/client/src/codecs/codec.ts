import { LarderError } from '@larder/proto';
import { shownValue } from '../shown-value.js';

/** How values become bytes and back. Both directions may throw; the caller then sees CODEC with the cause. */
export interface Codec<V> {
  /** For messages. */
  readonly name: string;
  /** The bytes are only read until the call's promise settles. */
  encode(value: V): Uint8Array;
  /**
   * Decodes [start, end) of a received frame. The frame belongs to the decoder alone and is never reused, so a view of
   * it may be returned, at the price of keeping the whole frame (up to some 100 KiB) alive.
   */
  decode(frame: Buffer, start: number, end: number): V;
}

/** Throws BAD_ARGUMENT for what is no codec. */
export function checkedCodec<V>(given: Codec<V>): Codec<V> {
  if (typeof given?.encode === 'function' && typeof given.decode === 'function') return given;
  throw new LarderError(
    'BAD_ARGUMENT',
    `codec is ${shownValue(given)}; allowed are json(), bytes(), text() and objects with name, encode and decode`,
    { outcome: 'not-applied' },
  );
}

/** Throws BAD_ARGUMENT for undefined and CODEC for what the codec cannot say. */
export function encodeValue<V>(codec: Codec<V>, value: V): Uint8Array {
  if (value === undefined) {
    throw new LarderError('BAD_ARGUMENT', 'value is undefined, which means a miss; store null or delete the key', {
      outcome: 'not-applied',
    });
  }
  let bytes: Uint8Array;
  try {
    bytes = codec.encode(value);
  } catch (error) {
    if (error instanceof LarderError) throw error;
    throw new LarderError('CODEC', `the value cannot be encoded as ${codec.name}: ${String(error)}`, {
      outcome: 'not-applied',
      cause: error,
    });
  }
  if (bytes instanceof Uint8Array) return bytes;
  throw new LarderError('CODEC', `codec ${codec.name} made ${shownValue(bytes)} of the value; due is a Uint8Array`, {
    outcome: 'not-applied',
  });
}
