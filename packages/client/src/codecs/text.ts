import { LarderError } from '@larder/proto';
import type { Codec } from './codec.js';

/** Strings as UTF-8. */
export function text(): Codec<string> {
  return {
    name: 'text',
    encode(value: unknown) {
      if (typeof value === 'string') return Buffer.from(value);
      throw new LarderError('CODEC', `value is a ${typeof value}; the text codec takes strings`, {
        outcome: 'not-applied',
      });
    },
    decode: (frame, start, end) => frame.toString('utf8', start, end),
  };
}
