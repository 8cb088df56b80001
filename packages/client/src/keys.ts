import { KEY_BYTES_MAX, LarderError } from '@larder/proto';
import { shownValue } from './shown-value.js';

/**
 * A key. Numbers and bigints are their decimal text. A tuple is its JSON array text, so that `['a', 'b:c']` and
 * `['a:b', 'c']` differ; it equals the string of the same text.
 */
export type Key = string | number | bigint | readonly (string | number | bigint)[];

/** Encoding by hand beats the native call below this length. */
const SHORT_LENGTH_MAX = 64;

/** The bytes of the key that was encoded last; one for all, since encoding and use are one synchronous step. */
export const keyScratch = Buffer.allocUnsafeSlow(KEY_BYTES_MAX);

/** Throws BAD_ARGUMENT for what is no Key. */
export function keyText(key: Key): string {
  if (typeof key === 'string') return key;
  if (Array.isArray(key)) return `[${key.map(tuplePart).join(',')}]`;
  return scalarText(key as number | bigint);
}

/** Encodes a key's text into `keyScratch` and returns its length. Throws BAD_ARGUMENT. */
export function encodeKey(text: string): number {
  const length = text.length;
  if (length > SHORT_LENGTH_MAX) return encodeLong(text);
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return encodeLong(text);
    keyScratch[index] = code;
  }
  if (length === 0) throw badKey('is empty; allowed are 1 to 4096 bytes');
  return length;
}

function encodeLong(text: string): number {
  const length = Buffer.byteLength(text);
  if (length > KEY_BYTES_MAX) throw badKey(`has ${length} bytes; allowed are 1 to ${KEY_BYTES_MAX}`);
  if (/\p{Surrogate}/u.test(text)) throw badKey('holds half of a surrogate pair, which UTF-8 cannot say');
  return keyScratch.write(text, 0, length, 'utf8');
}

function tuplePart(part: unknown): string {
  return typeof part === 'string' ? JSON.stringify(part) : scalarText(part);
}

function scalarText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  throw badKey(`is ${shownValue(value)}; allowed are strings, finite numbers, bigints and tuples of them`);
}

function badKey(what: string): LarderError {
  return new LarderError('BAD_ARGUMENT', `key ${what}`, { outcome: 'not-applied' });
}
