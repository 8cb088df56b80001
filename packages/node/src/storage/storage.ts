import type { EntryRef, MissCause, PutResult, TagHashes } from '@larder/loader';
import type { KeySlice } from '@larder/proto';

export { createStorage } from './create-storage.js';

export type EvictionPolicyName = 'adaptive' | 'lru' | 'lfu' | 'fifo' | 'ttl' | 'random';

export interface StorageCacheOptions {
  /** 0 to 4,095, unique on the node. */
  readonly cache: number;
  /** Hard bound of what this cache takes: keys, values, records, index and eviction state. */
  readonly memoryBytesMax: number;
  readonly eviction: EvictionPolicyName;
}

export interface StorageOptions {
  /** Hard bound of all caches together, index and metadata included. */
  readonly memoryBytesMax: number;
  readonly valueBytesMax: number;
  readonly caches: readonly StorageCacheOptions[];
  /** Whether this node owns all partitions at first, or none. Default true. */
  readonly owned?: boolean | undefined;
}

export interface CacheStorageStatistics {
  readonly entries: number;
  /** Real bytes: keys, values, records, index share, eviction state. */
  readonly bytes: number;
  readonly evictions: number;
  readonly expirations: number;
}

/** Why an entry left without a delete. */
export const RemovalCause = { evicted: 1, expired: 2 } as const;
export type RemovalCause = (typeof RemovalCause)[keyof typeof RemovalCause];

/**
 * The in-memory engine of a node: synchronous, bounded in real bytes, off the JavaScript heap. Flags are those of
 * EntryFlag: a dirty entry is never evicted and stays live past its expiry.
 *
 * So do all entries of a partition that this node does not own: the owner's records say when they go. They count to the
 * bounds as all others, and a put makes room for them by evicting entries of owned partitions.
 *
 * An EntryRef is valid until the next call of a method that can move records: put, remove, expire, maintain.
 */
export interface Storage {
  /** The live entry, if there is one, and counts as a use of it for eviction. */
  find(cache: number, key: KeySlice): EntryRef;
  /** The same without counting as a use. */
  peek(cache: number, key: KeySlice): EntryRef;

  /** Why there is no live entry; of one that there is, why there was none before, if that is still known. */
  missCause(cache: number, key: KeySlice): MissCause;
  /** The key stays away for this cause. */
  noteMissCause(cache: number, key: KeySlice, cause: MissCause): void;

  cacheOf(ref: EntryRef): number;
  keyBytes(ref: EntryRef): number;
  copyKey(ref: EntryRef, target: Uint8Array, at: number): void;
  flags(ref: EntryRef): number;
  valueBytes(ref: EntryRef): number;
  /** The value with the trailer of its tags, if it has any. */
  storedBytes(ref: EntryRef): number;
  /** Copies the bytes [from, to) of the value and its trailer. */
  copyValue(ref: EntryRef, from: number, to: number, target: Uint8Array, at: number): void;
  epoch(ref: EntryRef): number;
  seq(ref: EntryRef): number;
  /** Remaining life in ms, at least 1; -1 if it never expires. */
  remainingMs(ref: EntryRef): number;

  /**
   * Stores an entry, evicting as its cache's policy says. `ttlMs` 0: never expires. What was there under the key stays if
   * the put is refused. Must not be called while the partition is being dropped.
   */
  put(
    cache: number,
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    epoch: number,
    seq: number,
    ttlMs: number,
    flags: number,
  ): PutResult;
  /** `cause`: why the next get will miss it. Default: invalidated. */
  remove(cache: number, key: KeySlice, cause?: MissCause): boolean;
  /** 0: never expires. */
  expire(cache: number, key: KeySlice, ttlMs: number): boolean;
  setFlags(ref: EntryRef, flags: number): void;

  /**
   * From now on all entries of the cache in the partition are absent that have a lower seq and one of the tags; without
   * tags all that have a lower seq. Dirty ones stay. Costs the same however many there are; `sweep` frees them.
   */
  invalidate(cache: number, partition: number, seq: number, tags: TagHashes | undefined): void;
  /** Whether the partition may have an entry of the cache with this tag. Never false if it has. */
  mayHaveTag(cache: number, partition: number, hash: number): boolean;

  /**
   * Visits up to `countMax` entries of a partition, of all caches, from `cursor` (0: the start). Returns the cursor to go
   * on from, or 0 when the partition is done. `countMax` is at least 1, and exceeded only by keys that share 24 bits of
   * hash with the last one.
   * Between two calls anything may change: an entry that is there throughout is visited at least once. `visit` must not
   * change the storage, nor call a method of it that takes a key.
   */
  scanPartition(partition: number, cursor: number, countMax: number, visit: (ref: EntryRef) => void): number;
  entriesOfPartition(partition: number): number;
  /**
   * Entries of an owned partition are evicted and expire, others do neither. Takes effect at once and costs the same
   * however many there are; `maintain` hands them to their policies.
   */
  setOwned(partition: number, owned: boolean): void;
  /**
   * Empties a partition: nothing of it is found or scanned from now on. Costs the same however much there is; `maintain`,
   * and puts that need room, free it. The partition may be filled again when `isDropping` is false.
   */
  beginDrop(partition: number): void;
  isDropping(partition: number): boolean;
  /**
   * For at most `budgetMs`: frees what has expired or is being dropped, and hands entries to their policies. Returns
   * whether there is more to do at once. Call it every 100 ms or so.
   */
  maintain(budgetMs: number): boolean;
  /** For at most `budgetMs`: frees what was invalidated. Call it every few ms. */
  sweep(budgetMs: number): void;

  statistics(cache: number): CacheStorageStatistics;
  /** Real bytes taken of `memoryBytesMax`. */
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
}
