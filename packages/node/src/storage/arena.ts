import { BLOCK_WORDS_MIN, constructionHeader, isLive, PREVIOUS_FREE } from './block.js';
import { FreeLists } from './free-lists.js';

/**
 * One large buffer, off the JavaScript heap, that holds every record, chunk and index table of a node.
 *
 *   0      ARENA_START                                 top               end
 *   | none | block | block | free | block | ... | block | never touched   |
 *
 * The memory is reserved at once but taken from the system page by page as `top` rises, and `top` rises only when no
 * free block fits. Neighbouring free blocks are one block at once, and the block before `top` is never free. What this
 * does not do: make room by moving things; that is evacuation.ts.
 */

export const ARENA_START = 4;
/** 8 GiB: addresses stay below 2^31, where V8 needs no heap number for them. */
export const ARENA_BYTES_MAX = 2 ** 33;

/** A Uint8Array ends at 4 GiB in Node 20, so bytes are reached through windows that overlap by more than a block. */
const WINDOW_WORDS_LOG2 = 28;
const WINDOW_OVERLAP_BYTES = 1024 * 1024;

export class Arena {
  readonly words: Uint32Array;
  readonly windows: readonly Buffer[];
  readonly #freeLists: FreeLists;
  #top = ARENA_START;
  #liveWords = 0;
  /** Words that `top` may not exceed. */
  end: number;
  /** Where the evacuation stands. Always the start of a block, or `top`. */
  hand = ARENA_START;

  constructor(bytes: number) {
    const buffer = new ArrayBuffer(Math.floor(bytes / 4) * 4);
    this.words = new Uint32Array(buffer);
    this.windows = windowsOf(buffer);
    this.#freeLists = new FreeLists(this.words);
    this.end = this.words.length;
  }

  /** Bytes outside of the buffer. */
  get fixedBytes(): number {
    return this.#freeLists.bytes;
  }

  /** The end of what was ever used and not given back at the end. */
  get top(): number {
    return this.#top;
  }

  get liveWords(): number {
    return this.#liveWords;
  }

  /**
   * A block of `size` words or up to three more, marked as under construction; 0 if there is none without moving
   * something. A block of exactly the size, or one that leaves a whole free block, is preferred.
   */
  allocate(size: number): number {
    let address = this.#freeLists.take(size);
    if (address !== 0) {
      const rest = this.words[address] - size;
      if (rest > 0 && rest < BLOCK_WORDS_MIN) address = this.#preferClean(address, size);
      return this.#claim(address, size);
    }
    if (this.#top + size > this.end) return 0;
    address = this.#top;
    this.#top += size;
    this.#liveWords += size;
    this.words[address] = constructionHeader(size);
    return address;
  }

  free(address: number, size: number): void {
    const words = this.words;
    this.#liveWords -= size;
    let start = address;
    let end = address + size;
    if ((words[address] & PREVIOUS_FREE) !== 0) {
      start -= words[address - 1];
      this.#freeLists.remove(start);
    }
    if (end < this.#top && !isLive(words[end])) {
      this.#freeLists.remove(end);
      end += words[end];
    }
    if (this.hand > start && (this.hand < end || end === this.#top)) this.hand = start;
    if (end === this.#top) this.#top = start;
    else this.#addFree(start, end - start);
  }

  /** Takes a free block out of the lists and makes it live; returns its size. */
  claimFree(address: number): number {
    const size = this.words[address];
    this.#freeLists.remove(address);
    this.#markLive(address, size);
    return size;
  }

  /** Shortens a live block under construction and frees the rest, if that is large enough to be a block. */
  trim(address: number, size: number, wanted: number): void {
    if (size - wanted < BLOCK_WORDS_MIN) return;
    if (this.hand === address + size) this.hand = address + wanted;
    this.words[address] = (constructionHeader(wanted) | (this.words[address] & PREVIOUS_FREE)) >>> 0;
    this.words[address + wanted] = constructionHeader(size - wanted);
    this.free(address + wanted, size - wanted);
  }

  #preferClean(address: number, size: number): number {
    const other = this.#freeLists.take(size + BLOCK_WORDS_MIN);
    if (other === 0) return address;
    this.#freeLists.add(address, this.words[address]);
    return other;
  }

  #claim(address: number, size: number): number {
    const whole = this.words[address];
    if (whole - size < BLOCK_WORDS_MIN) {
      this.#markLive(address, whole);
      return address;
    }
    this.#liveWords += size;
    this.words[address] = constructionHeader(size);
    this.#addFree(address + size, whole - size);
    return address;
  }

  #markLive(address: number, size: number): void {
    this.words[address] = constructionHeader(size);
    this.words[address + size] &= ~PREVIOUS_FREE;
    this.#liveWords += size;
  }

  /** The block behind a free block exists and is live: otherwise they would be one, or the free one part of the tail. */
  #addFree(address: number, size: number): void {
    this.words[address] = size;
    this.words[address + size - 1] = size;
    this.words[address + size] |= PREVIOUS_FREE;
    this.#freeLists.add(address, size);
  }
}

/** The window in which the bytes of the block at this address lie. */
export function windowOf(address: number): number {
  return address >>> WINDOW_WORDS_LOG2;
}

/** The first byte of the address in its window. */
export function windowOffset(address: number): number {
  return (address & (2 ** WINDOW_WORDS_LOG2 - 1)) << 2;
}

function windowsOf(buffer: ArrayBuffer): Buffer[] {
  const stride = 2 ** WINDOW_WORDS_LOG2 * 4;
  const windows: Buffer[] = [];
  for (let start = 0; start === 0 || start < buffer.byteLength; start += stride) {
    windows.push(Buffer.from(buffer, start, Math.min(stride + WINDOW_OVERLAP_BYTES, buffer.byteLength - start)));
  }
  return windows;
}
