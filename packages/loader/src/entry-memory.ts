import type { KeySlice } from '@larder/proto';

/** A live entry where it lies. 0: there is none. Valid until the next call that writes to the memory. */
export type EntryRef = number;

/** Bits of an entry's flags. */
export const EntryFlag = {
  /** Acknowledged but not yet in the origin: never evicted, and its ttl does not run out. */
  dirty: 1,
  /** A delete that is not yet in the origin. Has no value; readers see no entry. */
  tombstone: 2,
  /** The origin has no such row: a miss that is known for a while. Has no value. */
  negative: 4,
} as const;

/** What became of a `put`. */
export const PutResult = {
  stored: 1,
  /** Larger than what the cache may hold at all. Nothing changed. */
  tooLarge: 2,
  /** No room could be made: what is there is pinned. Nothing changed. */
  full: 3,
} as const;
export type PutResult = (typeof PutResult)[keyof typeof PutResult];

/**
 * The entries of one cache, as its loader sees them: the owner's copy in this node's storage, with versions and
 * replication behind it. All calls are synchronous and none keeps the KeySlice.
 */
export interface EntryMemory {
  /** The live entry, if there is one, and counts as a use of it. */
  find(key: KeySlice): EntryRef;
  /** The same without counting as a use. */
  peek(key: KeySlice): EntryRef;

  flags(ref: EntryRef): number;
  valueBytes(ref: EntryRef): number;
  /** Copies the bytes [from, to) of the value. */
  copyValue(ref: EntryRef, from: number, to: number, target: Uint8Array, at: number): void;
  epoch(ref: EntryRef): number;
  seq(ref: EntryRef): number;
  /** Remaining life in ms, at least 1; -1 if it never expires. */
  remainingMs(ref: EntryRef): number;

  /** Stores value bytes [start, end) under the partition's next version. `ttlMs` 0: never expires. */
  put(key: KeySlice, value: Uint8Array, start: number, end: number, ttlMs: number, flags: number): PutResult;
  /** The version that the last `put` gave. */
  readonly putEpoch: number;
  readonly putSeq: number;

  /** Removes the entry. False if there was none. */
  remove(key: KeySlice): boolean;
  /** Gives the entry another remaining life; 0: never expires. False if there is none. */
  expire(key: KeySlice, ttlMs: number): boolean;
  /** Replaces the flags of a live entry; the version stays. */
  setFlags(ref: EntryRef, flags: number): void;
}
