import type { KeySlice, LarderError } from '@larder/proto';
import type { MissCause } from './miss-cause.js';
import type { TagHashes } from './tags/tag-hashes.js';

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
  /** A write to the origin is under way: other copies of the partition must not get the entry. Evictable as others. */
  unsure: 8,
  /** It has tags, whose trailer (tags/tag-trailer.ts) stands behind the value where it is stored and sent to copies. */
  tagged: 16,
} as const;

/** What became of a `put`. */
export const PutResult = {
  stored: 1,
  /** Larger than what the cache may hold at all. Nothing changed. */
  tooLarge: 2,
  /** No room could be made: what is there is pinned. Nothing changed. */
  full: 3,
  /** The key's partition is not this node's any more. Nothing changed. */
  away: 4,
} as const;
export type PutResult = (typeof PutResult)[keyof typeof PutResult];

/** Names one write of one client, so that it is applied once however often it comes. */
export interface RequestId {
  /** A random number of 53 bits, drawn when the client started. */
  readonly client: number;
  readonly number: number;
  /** The client has got, or has given up, its answers to all requests below this number. */
  readonly settledBelow: number;
}

/** What is kept with a request, to be told again. */
export const RequestResult = {
  /** There was no entry. */
  notFound: 0,
  done: 1,
  /** The origin is being written, or whether it was is not known. */
  begun: -1,
  /** The origin has refused it; it may be tried again. */
  refused: -2,
} as const;
export type RequestResult = (typeof RequestResult)[keyof typeof RequestResult];

/** Who waits until a key is held back; see `holdBack`. */
export interface HoldSink {
  /** Called only if `isHeld` was not true at once. */
  held(): void;
  /** The partition went to another node first: nothing may be written to the origin. */
  holdLost(error: LarderError): void;
}

/** A key that is held back. */
export interface Hold {
  readonly isHeld: boolean;
  /** The version under which the origin is written: higher than that of any earlier write of the key. */
  readonly epoch: number;
  readonly seq: number;
  /** The statement has ended, whichever way, and the memory has followed it. Call it once. */
  release(): void;
}

/**
 * The entries of one cache, as its loader sees them: the owner's copy in this node's storage, with versions and
 * replication behind it. All calls are synchronous and none keeps the KeySlice.
 *
 * What is written is seen by this node at once and travels to the other copies; whoever answers a caller waits until
 * they have it. In a turn other than that of the call a key may have gone to another node: ask `serves` first.
 */
export interface EntryMemory {
  /** Whether this node may read and write the partition in this turn. */
  serves(partition: number): boolean;
  /**
   * For who holds the partition back: whether no other node can own it in this turn. It is served here, or stands still
   * for a hand-over that waits for the hold.
   */
  keeps(partition: number): boolean;
  /** Whether the partition is this node's at all; it may be about to serve it again. */
  owns(partition: number): boolean;
  /** The answer to a call for a partition that it does not serve. */
  refusal(partition: number): LarderError;

  /** The live entry, if there is one, and counts as a use of it. */
  find(key: KeySlice): EntryRef;
  /** The same without counting as a use. */
  peek(key: KeySlice): EntryRef;
  /** How many tags the entry has. */
  tagCount(ref: EntryRef): number;
  /** Why there is no live entry; of one that there is, why there was none before, if that is still known. */
  missCause(key: KeySlice): MissCause;
  /** The key stays away for this cause. */
  noteMissCause(key: KeySlice, cause: MissCause): void;

  flags(ref: EntryRef): number;
  /** Without the trailer. */
  valueBytes(ref: EntryRef): number;
  /** Copies the bytes [from, to) of the value. */
  copyValue(ref: EntryRef, from: number, to: number, target: Uint8Array, at: number): void;
  epoch(ref: EntryRef): number;
  seq(ref: EntryRef): number;
  /**
   * How long entries stay beyond their life, so that there is something to fall back on when the origin is away. They are
   * found all that time, with a remaining life of 0. Those without a value, and those that never expire, have none.
   */
  graceMs: number;
  /** Remaining life in ms; -1 if it never expires. 0 only with `graceMs`, and never of a dirty entry, which has to stay. */
  remainingMs(ref: EntryRef): number;

  /** Stores value bytes [start, end) under the partition's next version, for `request`. `ttlMs` 0: never expires. */
  put(key: KeySlice, value: Uint8Array, start: number, end: number, ttlMs: number, flags: number): PutResult;
  /** Those of what the next `put` stores; none once it has. */
  tags: TagHashes | undefined;
  /** The version that the last `put` gave. */
  readonly putEpoch: number;
  readonly putSeq: number;
  /** Whose write the next `put` or `remove` is; none for what no client asked for. */
  request: RequestId | undefined;
  /** What is kept with it; `done` again after each `put` or `remove`. */
  result: RequestResult;

  /** Removes the entry, for `request`. False if there was none. */
  remove(key: KeySlice): boolean;
  /**
   * Forgets all entries of the partition, or those that have one of the tags, but not what is dirty. Costs the same however
   * many there are. False: there were none.
   */
  invalidate(partition: number, tags: TagHashes | undefined): boolean;
  /** Gives the entry another remaining life; 0: never expires. False if there is none. */
  expire(key: KeySlice, ttlMs: number): boolean;
  /** The origin has this version: if it is the entry's, the entry is dirty no more, and a tombstone goes. */
  clean(key: KeySlice, epoch: number, seq: number): void;
  /** Whether every copy that has to have the entry has it. */
  isCommitted(ref: EntryRef, partition: number): boolean;

  /**
   * Before a write to the origin, for `request`, whose value follows later: the other copies forget the key, so that whoever takes over
   * meanwhile asks the origin, and the partition is not handed over before the hold is released.
   */
  holdBack(key: KeySlice, sink: HoldSink): Hold;
  /** Until what it returns is called, once, the partition, which is served, is not handed over. It may be lost all the same. */
  keepBack(partition: number): () => void;
  /** The origin refused the write for `request`: the other copies get the entry again, if there is one. */
  restore(key: KeySlice): void;
}
