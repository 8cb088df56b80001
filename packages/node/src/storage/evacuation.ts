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
  /** The entry that the block is part of and that may be evicted; 0: there is none. */
  evictable(address: number): number;
  /** Evicts the entry and frees its blocks. False: it may not be evicted. */
  evict(ref: number): boolean;
}

/** What one put may move or evict because it is in the way: this many blocks, and one for each 8 words of its own. */
const MOVES = 2048;
const WORDS_PER_MOVE = 8;
/** What one put may walk in search of windows: 4 MiB, and 64 times its own size. */
const WALK_WORDS = 1 << 20;
const WALKS_PER_SIZE = 64;
/** One window gets this part of that. */
const SEARCHES = 4;
/** How far ahead a place is sought where everything may be evicted: 16 MiB, at some nanoseconds a block. */
const LOOK_WORDS = 1 << 22;
/** A place turns out not to be clearable only if it has entries that have just become another node's. */
const CLEARINGS_MAX = 16;

/**
 * Makes a large free block when there are only small ones. A hand goes round the arena: from where it stands it takes
 * block after block into a window, moving live ones to free places elsewhere, until the window is large enough. A record
 * that fits nowhere else is evicted; a chunk or table that fits nowhere, or a block under construction, ends the window,
 * and a new one begins behind it.
 *
 * Where much is pinned, windows may end too soon again and again; so what a put may move and walk is bounded. When that
 * is used up nothing is moved any more: a place is sought where everything may be evicted, and only that is.
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
  #movesLeft = 0;
  #walkLeft = 0;
  /** Words of the place that was found last. */
  #clearableWords = 0;

  /** Blocks moved so far. */
  moves = 0;
  /** Entries evicted so far because they were in the way. */
  evictions = 0;

  constructor(arena: Arena, tenants: Tenants) {
    this.#arena = arena;
    this.#words = arena.words;
    this.#tenants = tenants;
  }

  /** Blocks that a put of so many words may move, or evict because they are in the way. */
  static movesMax(words: number): number {
    return MOVES + Math.ceil(words / WORDS_PER_MOVE);
  }

  /** A put of so many words begins: what it may move and walk. */
  begin(words: number): void {
    this.#movesLeft = Evacuation.movesMax(words);
    this.#walkLeft = WALK_WORDS + WALKS_PER_SIZE * words;
  }

  /** Whether `makeBlock` may do anything more for this put. */
  get isExhausted(): boolean {
    return this.#movesLeft <= 0 || this.#walkLeft <= 0;
  }

  /** A block of at least `size` words, under construction; 0 if none was found within the bounds. */
  makeBlock(size: number): number {
    const walkMax = Math.min(this.#walkLeft, (WALK_WORDS + WALKS_PER_SIZE * size) / SEARCHES);
    return this.#gather(size, walkMax, false);
  }

  /** The same by evicting alone, if there is a place where everything may be evicted. */
  clearBlock(size: number): number {
    for (let attempts = 0; attempts < CLEARINGS_MAX; attempts++) {
      const hand = this.#clearable(size);
      if (hand === 0) return 0;
      this.#arena.hand = hand;
      const address = this.#gather(size, 2 * this.#clearableWords, true);
      if (address !== 0) return address;
    }
    return 0;
  }

  #gather(size: number, walkMax: number, isClearing: boolean): number {
    const arena = this.#arena;
    let walked = 0;
    while (this.#size < size && walked < walkMax && (isClearing || this.#movesLeft > 0)) {
      if (arena.hand < arena.top) {
        walked += isClearing ? this.#clear(arena.hand) : this.#step(arena.hand);
        continue;
      }
      this.#release();
      const address = arena.allocate(size);
      if (address !== 0 || arena.top === ARENA_START) return address;
      arena.hand = ARENA_START;
    }
    this.#walkLeft -= walked;
    if (this.#size < size) {
      this.#release();
      return 0;
    }
    arena.trim(this.#start, this.#size, size);
    this.#size = 0;
    return this.#start;
  }

  /**
   * Where `size` words or more lie in a row that are free or may be evicted; 0 if there is no such place ahead, and then
   * the hand goes on from there.
   */
  #clearable(size: number): number {
    const arena = this.#arena;
    const walkMax = Math.min(LOOK_WORDS, arena.top - ARENA_START + size);
    let start = arena.hand < arena.top ? arena.hand : ARENA_START;
    let address = start;
    for (let walked = 0; walked < walkMax; ) {
      if (address >= arena.top) start = address = ARENA_START;
      const header = this.#words[address];
      const words = isLive(header) ? this.#tenants.blockWords(address) : header;
      const isClearable = !isLive(header) || this.#tenants.evictable(address) !== 0;
      address += words;
      walked += words;
      if (!isClearable) start = address;
      this.#clearableWords = address - start;
      if (this.#clearableWords >= size) return start;
    }
    arena.hand = address;
    return 0;
  }

  /** As `#step`, but evicts and does not move. */
  #clear(address: number): number {
    const header = this.#words[address];
    if (!isLive(header)) return this.#extend(address, this.#arena.claimFree(address));
    const size = this.#tenants.blockWords(address);
    const entry = this.#tenants.evictable(address);
    if (entry !== 0 && this.#tenants.evict(entry)) this.evictions++;
    else this.#restartBehind(address, size);
    return size;
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
    this.#movesLeft--;
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
