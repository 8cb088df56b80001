import { PutResult } from '@larder/loader';
import type { Arena } from './arena.js';
import type { CacheSpace } from './cache-space.js';
import type { Evacuation } from './evacuation.js';
import type { Invalidations } from './invalidation/invalidations.js';
import type { PartitionChanges } from './partition-changes.js';
import type { PartitionIndex } from './partition-index.js';
import type { Residents } from './residents.js';

/** Live blocks stay below this share of the bound, so that evacuation finds places to move things to. */
const FILL_MAX = 0.95;
/** The least that is kept free: a table and a few chunks. */
const HEADROOM_BYTES_MIN = 64 * 1024;
const CALLS_PER_RECKONING = 64;
/** How many caches are compared when the node is full and one of them has to give. */
const CACHES_COMPARED = 8;
/** How many entries that are being dropped one put may free before it evicts others. */
const DROPS_PER_PUT = 256;
/** How many entries of partitions that are not this node's own one put may take out of their policies. */
const SET_ASIDES_PER_PUT = 4096;

/**
 * Makes room, by freeing what is being dropped and then by evicting what the policies name. A cache that is at its own bound gives its own entries. When the node
 * is full although no cache is, which happens if the caches' bounds add up to more than the node's, the cache gives that
 * has used the largest share of its bound, of the one that is written to and a few others in turn.
 */
export class Room {
  readonly #memoryBytesMax: number;
  readonly #arena: Arena;
  readonly #evacuation: Evacuation;
  readonly #index: PartitionIndex;
  readonly #residents: Residents;
  readonly #changes: PartitionChanges;
  readonly #invalidations: Invalidations;
  #turn = 0;
  #dropsLeft = 0;
  #setAsidesLeft = 0;
  #liveWordsMax = 0;
  #callsToReckoning = 0;

  constructor(
    memoryBytesMax: number,
    arena: Arena,
    evacuation: Evacuation,
    index: PartitionIndex,
    residents: Residents,
    changes: PartitionChanges,
    invalidations: Invalidations,
  ) {
    this.#memoryBytesMax = memoryBytesMax;
    this.#arena = arena;
    this.#evacuation = evacuation;
    this.#index = index;
    this.#residents = residents;
    this.#changes = changes;
    this.#invalidations = invalidations;
  }

  /** Bytes beside the arena. */
  get fixedBytes(): number {
    const { departures } = this.#residents;
    let bytes = this.#arena.fixedBytes + this.#index.fixedBytes + departures.bytes + this.#invalidations.bytes;
    for (const space of this.#residents.spaces) bytes += space.policyBytes - space.policy.pageBytes;
    return bytes;
  }

  /** What is beside the arena may have grown at once. */
  reckonAnew(): void {
    this.#callsToReckoning = 0;
  }

  /**
   * Evicts until an entry of so many words, in place of `residents.replaced` if that is set, is within the bounds of
   * its cache and of the node. Refuses at once, and evicts nothing, if it is too large or if what is pinned leaves too
   * little.
   */
  make(space: CacheSpace, words: number): PutResult {
    this.#evacuation.begin(words);
    this.#dropsLeft = DROPS_PER_PUT;
    this.#setAsidesLeft = SET_ASIDES_PER_PUT;
    const charge = space.charge(words);
    const liveWordsMax = this.#reckon();
    if (charge > space.entryBytesMax || words > liveWordsMax) return PutResult.tooLarge;
    while (!this.#fitsBesidePinned(space, charge, words)) if (!this.#drop()) return PutResult.full;
    this.#makeWayForBoth(words);
    while (space.entryBytes - this.#replacedCharge(space) + charge > space.entryBytesMax) {
      if (!this.#drop() && !this.#evictFrom(space)) return PutResult.full;
    }
    while (this.#arena.liveWords - this.#replacedWords() + words > liveWordsMax) {
      if (!this.#drop() && !this.#evictAnywhere(space)) return PutResult.full;
    }
    return PutResult.stored;
  }

  /** Whether there is room for it once everything is gone that may be evicted. */
  #fitsBesidePinned(space: CacheSpace, charge: number, words: number): boolean {
    const residents = this.#residents;
    const old = residents.replaced;
    const pinnedOld = old !== 0 && residents.isAside(old) ? residents.entryWords(old) : 0;
    const pinnedCharge = space.pinnedBytes - (pinnedOld === 0 ? 0 : space.charge(pinnedOld));
    if (pinnedCharge + charge > space.entryBytesMax) return false;
    const takenWords = residents.pinnedWords + this.#index.words + words;
    // What is replaced stays until its successor is complete; if it is pinned no eviction makes room for both.
    return takenWords - pinnedOld <= this.#liveWordsMax && takenWords <= this.#arena.words.length;
  }

  /** What is to be replaced and may be evicted goes first, if both of them could not stand side by side. */
  #makeWayForBoth(words: number): void {
    const residents = this.#residents;
    const old = residents.replaced;
    if (old === 0 || residents.isAside(old)) return;
    const takenWords = residents.pinnedWords + this.#index.words + words;
    if (takenWords + residents.entryWords(old) > this.#liveWordsMax) residents.evictReplaced();
  }

  #drop(): boolean {
    return this.#dropsLeft-- > 0 && this.#changes.dropSome(1);
  }

  /**
   * A block of at least so many words, under construction. Moves and evicts what it must, within the bounds of a put; 0 if
   * that did not help because of what is pinned.
   */
  allocate(words: number, space: CacheSpace | undefined): number {
    for (;;) {
      const address = this.#arena.allocate(words) || this.#evacuation.makeBlock(words);
      if (address !== 0) return address;
      if (this.#drop()) continue;
      if (this.#evacuation.isExhausted || !this.#evictAnywhere(space)) return this.#evacuation.clearBlock(words);
    }
  }

  /** What is beside the arena changes slowly, by less between two reckonings than what is kept free. */
  #reckon(): number {
    if (--this.#callsToReckoning <= 0) {
      this.#callsToReckoning = CALLS_PER_RECKONING;
      const bytes = this.#memoryBytesMax - this.fixedBytes;
      this.#liveWordsMax = Math.floor(Math.min(bytes * FILL_MAX, bytes - HEADROOM_BYTES_MIN) / 4);
      this.#arena.end = Math.floor(bytes / 4);
    }
    return this.#liveWordsMax;
  }

  #replacedWords(): number {
    const old = this.#residents.replaced;
    return old === 0 ? 0 : this.#residents.entryWords(old);
  }

  #replacedCharge(space: CacheSpace): number {
    const old = this.#residents.replaced;
    return old === 0 ? 0 : space.charge(this.#residents.entryWords(old));
  }

  /** False: the policy names none, or has named too many that turned out to be another node's. */
  #evictFrom(space: CacheSpace): boolean {
    for (let ref = space.policy.victim(); ref !== 0; ref = space.policy.victim()) {
      if (this.#residents.evict(ref)) return true;
      if (--this.#setAsidesLeft < 0) return false;
    }
    return false;
  }

  #evictAnywhere(preferred: CacheSpace | undefined): boolean {
    while (this.#setAsidesLeft >= 0) {
      const fullest = this.#fullest(preferred);
      if (fullest === undefined) return false;
      if (this.#evictFrom(fullest)) return true;
    }
    return false;
  }

  #fullest(preferred: CacheSpace | undefined): CacheSpace | undefined {
    const { spaces } = this.#residents;
    let fullest = preferred !== undefined && hasVictim(preferred) ? preferred : undefined;
    for (let compared = 0; compared < spaces.length && (compared < CACHES_COMPARED || !fullest); compared++) {
      const other = spaces[this.#turn++ % spaces.length];
      if (hasVictim(other) && (!fullest || fillOf(other) > fillOf(fullest))) fullest = other;
    }
    return fullest;
  }
}

function hasVictim(space: CacheSpace): boolean {
  return space.entryBytes > space.pinnedBytes;
}

function fillOf(space: CacheSpace): number {
  return space.bytes / space.memoryBytesMax;
}
