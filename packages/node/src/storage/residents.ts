import { EntryFlag, type EntryRef, MissCause } from '@larder/loader';
import { LarderError, partitionOf } from '@larder/proto';
import { type Arena, windowOf, windowOffset } from './arena.js';
import {
  chunkHeader,
  chunkWords,
  fixedWords,
  isPage,
  KIND_CHUNK,
  KIND_CHUNKED,
  KIND_FIXED,
  KIND_RECORD,
  kindOf,
  PREVIOUS_FREE,
  pageHeader,
  tableHeader,
} from './block.js';
import { CacheSpace } from './cache-space.js';
import { type Chunks, wordsOfChunks } from './chunks.js';
import type { Departures } from './departures.js';
import type { Tenants } from './evacuation.js';
import type { EvictionPolicy } from './eviction/eviction-policy.js';
import type { KeyHash } from './key-hash.js';
import type { PartitionIndex } from './partition-index.js';
import type { PartitionStates } from './partition-states.js';
import type { PolicyPages } from './policy-pages.js';
import type { Records } from './record.js';
import { RemovalCause } from './storage.js';

export type OnRemoval = (cache: number, partition: number, ref: EntryRef, cause: RemovalCause) => void;

/**
 * Who lives in the arena: how entries enter, move and leave, so that index, policy and accounts always agree with what
 * the blocks say. Makes no decision of its own.
 *
 * An entry that may not be evicted, because it is dirty or its partition is another node's, is set aside: its policy does
 * not name it, and it counts as pinned.
 */
export class Residents implements Tenants {
  /** Words of entries that are set aside. */
  pinnedWords = 0;
  /** The record that a put is about to replace, wherever it moves; 0 once it is gone. */
  replaced: EntryRef = 0;

  readonly spaces: CacheSpace[] = [];
  readonly #byCache: (CacheSpace | undefined)[] = [];
  readonly #arena: Arena;
  readonly #records: Records;
  readonly #chunks: Chunks;
  readonly #index: PartitionIndex;
  readonly #pages: PolicyPages;
  readonly #states: PartitionStates;
  readonly #onRemoval: OnRemoval;
  readonly departures: Departures;
  /** The key of a record, while the engine's own holds the key of a call. */
  readonly #key: KeyHash;
  #partition = 0;

  constructor(
    arena: Arena,
    records: Records,
    chunks: Chunks,
    index: PartitionIndex,
    pages: PolicyPages,
    states: PartitionStates,
    key: KeyHash,
    departures: Departures,
    onRemoval: OnRemoval,
  ) {
    this.#arena = arena;
    this.#records = records;
    this.#chunks = chunks;
    this.#index = index;
    this.#pages = pages;
    this.#states = states;
    this.#key = key;
    this.departures = departures;
    this.#onRemoval = onRemoval;
  }

  addCache(cache: number, memoryBytesMax: number, policy: EvictionPolicy): void {
    this.#records.setEvictionWords(cache, policy.recordWords);
    const space = new CacheSpace(cache, memoryBytesMax, policy);
    this.#byCache[cache] = space;
    this.spaces.push(space);
  }

  space(cache: number): CacheSpace {
    const space = this.#byCache[cache];
    if (space === undefined) throw new LarderError('UNKNOWN_CACHE', `cache number ${cache} is not on this node`);
    return space;
  }

  /** Words of an entry with its chunks, without slack. */
  entryWords(ref: EntryRef): number {
    return this.#records.neededWords(ref) + wordsOfChunks(this.#records.valueBytes(ref));
  }

  isDirty(ref: EntryRef): boolean {
    return (this.#records.flags(ref) & EntryFlag.dirty) !== 0;
  }

  isAside(ref: EntryRef): boolean {
    return this.#records.isAside(ref);
  }

  /** Counts a new entry and hands it to its policy, if it may be evicted. */
  enter(ref: EntryRef, partition: number, hash: number): void {
    const space = this.space(this.#records.cache(ref));
    space.entries++;
    space.entryBytes += space.charge(this.entryWords(ref));
    if (this.#mayBeEvicted(ref, partition)) space.policy.insert(ref, hash);
    else this.#countAside(space, ref);
  }

  /** Removes an entry and frees its blocks. `cause` 0: it was deleted, for that reason, or is being dropped. */
  leave(
    ref: EntryRef,
    slot: number,
    partition: number,
    hash: number,
    cause: RemovalCause | 0,
    reason: MissCause = MissCause.invalidated,
  ): void {
    const space = this.space(this.#records.cache(ref));
    if (ref === this.replaced) this.replaced = 0;
    if (cause !== 0) this.#report(space, partition, ref, cause);
    this.departures.note(hash, this.#reasonOf(cause, partition, reason));
    this.#uncount(space, ref);
    if (this.isAside(ref)) this.#countPinned(space, ref, -1);
    else if (cause === RemovalCause.evicted) space.policy.evict(ref, hash);
    else space.policy.remove(ref, hash);
    this.#index.remove(partition, slot);
    this.#free(ref);
  }

  /** Puts `to` in the place of `from`, which is another record of the same key, and frees `from`. */
  replace(from: EntryRef, to: EntryRef, slot: number, partition: number, hash: number): void {
    const space = this.space(this.#records.cache(from));
    this.replaced = 0;
    this.#uncount(space, from);
    space.entries++;
    space.entryBytes += space.charge(this.entryWords(to));
    if (this.isAside(from)) this.#countPinned(space, from, -1);
    this.#records.setExpiry(to, this.#records.expiry(from));
    this.#handOver(space, from, to, partition, hash);
    this.#index.setRef(slot, to);
    this.#free(from);
  }

  /** Gives an entry other flags; whether it may be evicted can change with its dirty flag. */
  setFlags(ref: EntryRef, flags: number): void {
    const wasDirty = this.isDirty(ref);
    this.#records.setFlags(ref, flags);
    if (this.isDirty(ref) === wasDirty) return;
    this.#loadKey(ref);
    this.#align(ref, this.#partition, this.#key.hash);
  }

  /** Hands an entry to its policy, or sets it aside, as its flags and its partition say. */
  align(ref: EntryRef, partition: number): void {
    if (this.#mayBeEvicted(ref, partition) === this.isAside(ref)) this.#align(ref, partition, this.hashOf(ref));
  }

  /** What a put was to replace stays, as it was refused. */
  keepReplaced(partition: number, hash: number): void {
    if (this.replaced !== 0) this.#align(this.replaced, partition, hash);
    this.replaced = 0;
  }

  /** The hash of an entry's key. */
  hashOf(ref: EntryRef): number {
    this.#loadKey(ref);
    return this.#key.hash;
  }

  /** The slot of an entry, read from its key. */
  slotOf(ref: EntryRef): number {
    this.#loadKey(ref);
    return this.#index.slotOf(ref, this.#partition, this.#key.hash);
  }

  /** The partition of the entry that `slotOf` was asked for last. */
  get partition(): number {
    return this.#partition;
  }

  evictable(address: number): EntryRef {
    const kind = kindOf(this.#arena.words[address]);
    if (kind === KIND_FIXED) return 0;
    const ref = kind === KIND_CHUNK ? this.#chunks.recordOf(address) : address;
    return ref === this.replaced || this.isAside(ref) ? 0 : ref;
  }

  /**
   * Evicts an entry, or takes away one that is being dropped. False: it may not be evicted, or is to be replaced; if its
   * policy named it, it does not any more.
   */
  evict(ref: EntryRef): boolean {
    const kind = kindOf(this.#arena.words[ref]);
    if (kind !== KIND_RECORD && kind !== KIND_CHUNKED) return false;
    if (this.isAside(ref) && !this.#states.isAnyDropping) return false;
    const slot = this.slotOf(ref);
    const { hash } = this.#key;
    const isDropped = this.#states.isDropping(this.#partition);
    if (!isDropped && this.isAside(ref)) return false;
    if (!isDropped && (ref === this.replaced || !this.#mayBeEvicted(ref, this.#partition))) {
      this.#setAside(this.space(this.#records.cache(ref)), ref, hash);
      return false;
    }
    this.leave(ref, slot, this.#partition, hash, isDropped ? 0 : RemovalCause.evicted);
    return true;
  }

  /** Evicts what a put was to replace, as there is no room for both. */
  evictReplaced(): void {
    const ref = this.replaced;
    this.replaced = 0;
    this.evict(ref);
  }

  blockWords(address: number): number {
    const header = this.#arena.words[address];
    const kind = kindOf(header);
    if (kind === KIND_FIXED) return fixedWords(header);
    return kind === KIND_CHUNK ? chunkWords(header) : this.#records.blockWords(address);
  }

  neededWords(address: number): number {
    const kind = kindOf(this.#arena.words[address]);
    if (kind === KIND_FIXED) {
      return isPage(this.#arena.words[address]!) ? this.#pages.blockWords : this.#index.neededWords(address);
    }
    return kind === KIND_CHUNK ? this.#chunks.neededWords(address) : this.#records.neededWords(address);
  }

  move(from: number, to: number): void {
    const { words } = this.#arena;
    const size = fixedWords(words[to]);
    const previousFree = words[to] & PREVIOUS_FREE;
    const kind = kindOf(words[from]);
    if (kind === KIND_FIXED && isPage(words[from]!)) {
      words[to] = pageHeader(size) | previousFree;
      this.#pages.moved(to);
    } else if (kind === KIND_FIXED) {
      words[to] = tableHeader(size) | previousFree;
      this.#index.moved(to, fixedWords(words[from]));
    } else if (kind === KIND_CHUNK) {
      words[to] = chunkHeader(size) | previousFree;
      this.#chunks.followChunk(to);
    } else {
      this.#moveRecord(from, to, size);
    }
  }

  #moveRecord(from: number, to: number, size: number): void {
    const slot = this.slotOf(from);
    this.#records.copyHeader(from, to, size - this.#records.neededWords(from));
    this.#index.setRef(slot, to);
    if (from === this.replaced) this.replaced = to;
    if (this.#records.isChunked(to)) this.#chunks.followRecord(to);
    if (!this.isAside(to)) this.space(this.#records.cache(to)).policy.moved(from, to);
  }

  #mayBeEvicted(ref: EntryRef, partition: number): boolean {
    return !this.isDirty(ref) && this.#states.isOwned(partition);
  }

  #align(ref: EntryRef, partition: number, hash: number): void {
    const space = this.space(this.#records.cache(ref));
    const mayBeEvicted = this.#mayBeEvicted(ref, partition);
    if (mayBeEvicted !== this.isAside(ref)) return;
    if (mayBeEvicted) this.#readmit(space, ref, hash);
    else this.#setAside(space, ref, hash);
  }

  #readmit(space: CacheSpace, ref: EntryRef, hash: number): void {
    this.#countPinned(space, ref, -1);
    this.#records.setAside(ref, false);
    space.policy.readmit(ref, hash);
  }

  #setAside(space: CacheSpace, ref: EntryRef, hash: number): void {
    space.policy.remove(ref, hash);
    this.#countAside(space, ref);
  }

  #countAside(space: CacheSpace, ref: EntryRef): void {
    this.#countPinned(space, ref, 1);
    this.#records.setAside(ref, true);
  }

  #handOver(space: CacheSpace, from: EntryRef, to: EntryRef, partition: number, hash: number): void {
    const { policy } = space;
    const wasAside = this.isAside(from);
    const mayBeEvicted = this.#mayBeEvicted(to, partition);
    if (!wasAside && !mayBeEvicted) policy.remove(from, hash);
    this.#records.copyEvictionState(from, to, policy.recordWords);
    if (!mayBeEvicted) {
      this.#countAside(space, to);
      return;
    }
    if (wasAside) {
      policy.readmit(to, hash);
      return;
    }
    policy.moved(from, to);
    policy.resized(to, space.charge(this.entryWords(to)) - space.charge(this.entryWords(from)));
    policy.use(to, hash);
  }

  #report(space: CacheSpace, partition: number, ref: EntryRef, cause: RemovalCause): void {
    if (cause === RemovalCause.evicted) space.evictions++;
    else space.expirations++;
    this.#onRemoval(space.id, partition, ref, cause);
  }

  #reasonOf(cause: RemovalCause | 0, partition: number, reason: MissCause): MissCause {
    if (cause === RemovalCause.evicted) return MissCause.evicted;
    if (cause === RemovalCause.expired) return MissCause.expired;
    return this.#states.isDropping(partition) ? MissCause.moved : reason;
  }

  #uncount(space: CacheSpace, ref: EntryRef): void {
    space.entries--;
    space.entryBytes -= space.charge(this.entryWords(ref));
  }

  #countPinned(space: CacheSpace, ref: EntryRef, sign: 1 | -1): void {
    const words = this.entryWords(ref);
    space.pinnedBytes += sign * space.charge(words);
    this.pinnedWords += sign * words;
  }

  #free(ref: EntryRef): void {
    if (this.#records.isChunked(ref)) this.#chunks.free(ref);
    this.#arena.free(ref, this.#records.blockWords(ref));
  }

  #loadKey(ref: EntryRef): void {
    const address = this.#records.keyStart(ref);
    const window = this.#arena.windows[windowOf(address)];
    const start = windowOffset(address);
    const end = start + this.#records.keyBytes(ref);
    this.#key.load(this.#records.cache(ref), window, start, end);
    this.#partition = partitionOf(window, start, end);
  }
}
