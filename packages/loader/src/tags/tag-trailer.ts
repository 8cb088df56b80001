import { TAGS_MAX } from '@larder/proto';
import { areTagHashes, TAG_HASH_BYTES, type TagHashes } from './tag-hashes.js';

/**
 * How the memory and other copies keep an entry with tags (EntryFlag.tagged): behind the value stand the hashes of its
 * tags, and last, in one byte, how many there are. An entry without tags has nothing of that.
 */

/** The most that a trailer takes. */
export const TRAILER_BYTES_MAX = TAGS_MAX * TAG_HASH_BYTES + 1;

/** What a trailer takes whose last byte is this. */
export function trailerBytes(count: number): number {
  return count * TAG_HASH_BYTES + 1;
}

/** Value bytes [start, end) with the trailer behind them. */
export function withTrailer(value: Uint8Array, start: number, end: number, tags: TagHashes): Uint8Array {
  const valueBytes = end - start;
  const whole = Buffer.allocUnsafe(valueBytes + tags.length + 1);
  whole.set(value.subarray(start, end));
  whole.set(tags, valueBytes);
  whole[whole.length - 1] = tags.length / TAG_HASH_BYTES;
  return whole;
}

/** Whether bytes from elsewhere end with a trailer. */
export function hasTrailer(stored: Uint8Array): boolean {
  if (stored.length === 0) return false;
  const start = stored.length - trailerBytes(stored[stored.length - 1]!);
  return start >= 0 && areTagHashes(stored.subarray(start, stored.length - 1));
}
