import { LarderError } from '@larder/proto';
import type { Codec } from './codec.js';

/** JSON text: the default. What JSON cannot say (undefined, functions, bigint, cycles) is a CODEC error. */
export function json<V>(): Codec<V> {
  return {
    name: 'json',
    encode(value) {
      const text: string | undefined = JSON.stringify(value);
      if (text === undefined) {
        throw new LarderError('CODEC', `a ${typeof value} has no JSON text`, { outcome: 'not-applied' });
      }
      return Buffer.from(text);
    },
    decode: (frame, start, end) => JSON.parse(frame.toString('utf8', start, end)) as V,
  };
}
