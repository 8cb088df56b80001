import { LarderError } from '@larder/proto';
import type { Codec } from './codec.js';

export interface BytesOptions {
  /**
   * Whether values are copied out of the frame that brought them. Default false: a Buffer is a view of its frame, which
   * stays in memory as long as the view does. Set it where values are kept for long; costs about 0.4 us each.
   */
  readonly copy?: boolean;
}

/** Bytes as they are. */
export function bytes(options: BytesOptions = {}): Codec<Buffer> {
  const copy = options.copy ?? false;
  return {
    name: 'bytes',
    encode(value: unknown) {
      if (value instanceof Uint8Array) return value;
      throw new LarderError('CODEC', `value is a ${typeof value}; the bytes codec takes Buffer or Uint8Array`, {
        outcome: 'not-applied',
      });
    },
    decode: (frame, start, end) => (copy ? Buffer.from(frame.subarray(start, end)) : frame.subarray(start, end)),
  };
}
