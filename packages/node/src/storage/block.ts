/**
 * The arena is an unbroken row of blocks. The first word of each says what it is, so that the row can be walked, a freed
 * block finds its neighbours, and whatever stands in the way of a large allocation can be moved or evicted.
 *
 *   bit 31      live
 *   bit 30      the block before this one is free (its last word is then its size)
 *   bits 29-28  kind
 *   record, chunked record:  bits 27-26 slack words, 25 aside, 24-13 cache, 12-0 key bytes   (record.ts)
 *   chunk:                   bits 27-0 size in words                                         (chunks.ts)
 *   fixed:                   bit 27 table of the index, bit 26 page of a policy (neither: under construction, immovable),
 *                            bits 25-0 size in words
 *   free (bit 31 clear):     bits 30-0 size in words, then next and previous of its list, and the size again at its end
 *
 * All sizes and addresses are in words of 4 bytes; address 0 is no address.
 */

export const LIVE = 0x80000000;
export const PREVIOUS_FREE = 0x40000000;
export const KIND_SHIFT = 28;
export const KIND_RECORD = 0;
export const KIND_CHUNKED = 1;
export const KIND_CHUNK = 2;
export const KIND_FIXED = 3;

const TABLE = 1 << 27;
const PAGE = 1 << 26;
const FIXED_SIZE_MASK = PAGE - 1;
const CHUNK_SIZE_MASK = (1 << 28) - 1;

/** A free block holds its size twice and two links. */
export const BLOCK_WORDS_MIN = 4;
/** A remainder smaller than a free block stays with its record, as slack. */
export const SLACK_WORDS_MAX = BLOCK_WORDS_MIN - 1;

export function isLive(header: number): boolean {
  return header >>> 31 === 1;
}

export function kindOf(header: number): number {
  return (header >>> KIND_SHIFT) & 3;
}

export function isTable(header: number): boolean {
  return (header & TABLE) !== 0;
}

export function isPage(header: number): boolean {
  return (header & PAGE) !== 0;
}

export function chunkWords(header: number): number {
  return header & CHUNK_SIZE_MASK;
}

export function fixedWords(header: number): number {
  return header & FIXED_SIZE_MASK;
}

export function chunkHeader(words: number): number {
  return (LIVE | (KIND_CHUNK << KIND_SHIFT) | words) >>> 0;
}

export function tableHeader(words: number): number {
  return (LIVE | (KIND_FIXED << KIND_SHIFT) | TABLE | words) >>> 0;
}

export function pageHeader(words: number): number {
  return (LIVE | (KIND_FIXED << KIND_SHIFT) | PAGE | words) >>> 0;
}

/** Of a block that is allocated but not yet filled: nothing may move it. */
export function constructionHeader(words: number): number {
  return (LIVE | (KIND_FIXED << KIND_SHIFT) | words) >>> 0;
}
