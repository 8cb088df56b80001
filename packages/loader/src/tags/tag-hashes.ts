import { TAG_BYTES_MAX, TAGS_MAX, xxh32 } from '@larder/proto';

/**
 * Tags are kept as hashes of 48 bits: TagHashes are up to TAGS_MAX of them in a row, 6 bytes each, the lowest first. Two
 * tags with one hash are invalidated together, which costs a miss and is never wrong: among a million tags it happens to
 * one in 280 million pairs.
 */
export type TagHashes = Uint8Array;

export const TAG_HASH_BYTES = 6;

/** So that the hash has more bits than one function gives. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The hash of the tag whose bytes lie there. */
export function tagHash(bytes: Uint8Array, start: number, end: number): number {
  let other = FNV_OFFSET;
  for (let at = start; at < end; at++) other = Math.imul(other ^ bytes[at]!, FNV_PRIME);
  return xxh32(bytes, start, end) * 0x10000 + ((other >>> 16) ^ (other & 0xffff));
}

/** The hash at this place. */
export function hashAt(hashes: TagHashes, index: number): number {
  const at = index * TAG_HASH_BYTES;
  const low = hashes[at]! | (hashes[at + 1]! << 8) | (hashes[at + 2]! << 16);
  return low + (hashes[at + 3]! | (hashes[at + 4]! << 8) | (hashes[at + 5]! << 16)) * 0x1000000;
}

export function hashCount(hashes: TagHashes): number {
  return hashes.length / TAG_HASH_BYTES;
}

/** Each hash once. */
export function tagHashes(hashes: Iterable<number>): TagHashes {
  const distinct = [...new Set(hashes)];
  const bytes = Buffer.allocUnsafe(distinct.length * TAG_HASH_BYTES);
  for (const [index, hash] of distinct.entries()) bytes.writeUIntLE(hash, index * TAG_HASH_BYTES, TAG_HASH_BYTES);
  return bytes;
}

/** Of texts that are known to be tags. */
export function hashesOfTexts(tags: readonly string[]): TagHashes {
  return tagHashes(
    tags.map((tag) => {
      const bytes = Buffer.from(tag);
      return tagHash(bytes, 0, bytes.length);
    }),
  );
}

export function isTagText(text: string): boolean {
  const bytes = Buffer.byteLength(text);
  return bytes >= 1 && bytes <= TAG_BYTES_MAX;
}

/** Whether bytes from elsewhere are TagHashes of at least one tag. */
export function areTagHashes(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length <= TAGS_MAX * TAG_HASH_BYTES && bytes.length % TAG_HASH_BYTES === 0;
}
