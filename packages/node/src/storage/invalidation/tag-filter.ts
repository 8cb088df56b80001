/**
 * Tells of most tags that no entry of a partition has them: a Bloom filter with two bits a tag. It is never wrong about
 * one that an entry has. With eight bits for each different tag it holds 5 % of the others for present.
 */
export class TagFilter {
  readonly #words: Uint32Array;
  readonly #mask: number;

  /** `bytes` is a power of two. */
  constructor(bytes: number) {
    this.#words = new Uint32Array(bytes / 4);
    this.#mask = bytes * 8 - 1;
  }

  add(hash: number): void {
    this.#set(lowHalf(hash));
    this.#set(highHalf(hash));
  }

  mayHave(hash: number): boolean {
    return this.#has(lowHalf(hash)) && this.#has(highHalf(hash));
  }

  #set(half: number): void {
    const bit = half & this.#mask;
    this.#words[bit >>> 5]! |= 1 << (bit & 31);
  }

  #has(half: number): boolean {
    const bit = half & this.#mask;
    return (this.#words[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }
}

const BYTES_MIN = 32;
const BYTES_MAX = 64 * 1024;
/** Of 1,024 partitions together they take at most one part in 128 of what the cache may take, but for the smallest caches. */
const CACHE_BYTES_PER_BYTE = 128 * 1024;

/** How large a partition's filter of a cache with this bound is. An entry of 256 bytes has 16 bits of it. */
export function filterBytes(memoryBytesMax: number): number {
  const bytes = 2 ** Math.floor(Math.log2(memoryBytesMax / CACHE_BYTES_PER_BYTE));
  return Math.min(BYTES_MAX, Math.max(BYTES_MIN, bytes));
}

function lowHalf(hash: number): number {
  return hash % 0x1000000;
}

function highHalf(hash: number): number {
  return Math.floor(hash / 0x1000000);
}
