import { ARENA_START, type Arena } from './arena.js';
import { constructionHeader, isLive, isPage, isTable, KIND_FIXED, kindOf, PREVIOUS_FREE } from './block.js';

/** What the evacuation asks of the engine. */
export interface Tenants {
  /** Words of a live block. */
  blockWords(address: number): number;
  /** The same without slack: what has to be allocated to move it. */
  neededWords(address: number): number;
  /** Whoever pointed to the block must follow; its new place is under construction, the contents are copied already. */
  move(from: number, to: number): void;
  /** Evicts the entry and frees its blocks. False: it may not be evicted. */
  evict(ref: number): boolean;
}

/** Words that one call walks at most, unless it looks for more than a 64th of that: 4 MiB. */
const WALK_WORDS_MIN = 1 << 20;

/**
 * Makes a large free block when there are only small ones. A hand goes round the arena: from where it stands it takes
 * block after block into a window, moving live ones to free places elsewhere, until the window is large enough. A record
 * that fits nowhere else is evicted; a chunk or table that fits nowhere, or a block under construction, ends the window,
 * and a new one begins behind it.
 *
 * The window is at all times one live block under construction, so whatever is freed or moved meanwhile sees an
 * unbroken row of blocks. Going round, rather than beginning at the largest free block, moves more but evicts six times
 * less (storage study, section 1).
 */
export class Evacuation {
  readonly #arena: Arena;
  readonly #words: Uint32Array;
  readonly #tenants: Tenants;
  #start = 0;
  #size = 0;

  /** Blocks moved so far. */
  moves = 0;
  /** Entries evicted so far because they were in the way. */
  evictions = 0;

  constructor(arena: Arena, tenants: Tenants) {
    this.#arena = arena;
    this.#words = arena.words;
    this.#tenants = tenants;
  }

  /** A block of at least `size` words, under construction; 0 if none was found within the bound of the walk. */
  makeBlock(size: number): number {
    const arena = this.#arena;
    const walkMax = Math.max(WALK_WORDS_MIN, 64 * size);
    for (let walked = 0; this.#size < size && walked < walkMax; ) {
      if (arena.hand < arena.top) {
        walked += this.#step(arena.hand);
        continue;
      }
      this.#release();
      const address = arena.allocate(size);
      if (address !== 0 || arena.top === ARENA_START) return address;
      arena.hand = ARENA_START;
    }
    if (this.#size < size) {
      this.#release();
      return 0;
    }
    arena.trim(this.#start, this.#size, size);
    this.#size = 0;
    return this.#start;
  }

  /** Takes the block at the hand into the window, or begins a new window behind it; returns the words passed. */
  #step(address: number): number {
    const header = this.#words[address];
    if (!isLive(header)) return this.#extend(address, this.#arena.claimFree(address));
    const size = this.#tenants.blockWords(address);
    const movable = kindOf(header) !== KIND_FIXED || isTable(header) || isPage(header);
    if (movable && this.#move(address)) return this.#extend(address, size);
    if (movable && this.#tenants.evict(address)) this.evictions++;
    else this.#restartBehind(address, size);
    return size;
  }

  #move(address: number): boolean {
    const size = this.#tenants.neededWords(address);
    const to = this.#arena.allocate(size);
    if (to === 0) return false;
    this.#copy(address, to, size);
    this.#tenants.move(address, to);
    this.moves++;
    return true;
  }

  /** All but the first word: that of the new place says how large it is. */
  #copy(from: number, to: number, size: number): void {
    const words = this.#words;
    if (size > 64) {
      words.copyWithin(to + 1, from + 1, from + size);
      return;
    }
    for (let index = 1; index < size; index++) words[to + index] = words[from + index];
  }

  #extend(address: number, size: number): number {
    if (this.#size === 0) this.#start = address;
    this.#size += size;
    this.#words[this.#start] = (constructionHeader(this.#size) | (this.#words[this.#start] & PREVIOUS_FREE)) >>> 0;
    this.#arena.hand = this.#start + this.#size;
    return size;
  }

  #restartBehind(address: number, size: number): void {
    this.#arena.hand = address + size;
    this.#release();
  }

  #release(): void {
    if (this.#size > 0) this.#arena.free(this.#start, this.#size);
    this.#size = 0;
  }
}
