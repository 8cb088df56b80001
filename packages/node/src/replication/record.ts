import { NO_VALUE, type PackedBytes, packed, packedKey, packedValue } from '@larder/proto';

export { packedKey, packedValue };

/**
 * One change of one key, or of many at once (RecordFlag.invalidation), as it travels and is kept: it carries the state that results, never how it came about, so that
 * applying it twice is harmless. Records are never changed once they are made.
 *
 * Without a value the entry is deleted, or a tombstone or negative, or forgotten by followers (flag `unsure`).
 */
export interface ReplicatedRecord extends PackedBytes {
  /** The version that the change gave the entry: the epoch in which it was made, and its number in the partition. */
  readonly epoch: number;
  readonly seq: number;
  readonly cache: number;
  /** Remaining life when the record leaves its sender; 0: it never expires. */
  readonly ttlMs: number;
  /** Bits of EntryFlag and RecordFlag: a dirty record is one that the database does not have yet. */
  readonly flags: number;
  /** Absent for changes that no client asked for, such as expiry. */
  readonly request: RequestId | undefined;
  /** What the client was told, to be told again if it asks again. */
  readonly result: number;
}

/** Bits of a record's flags beside those of EntryFlag. */
export const RecordFlag = {
  /**
   * It is about no key, and has an empty one: all entries of the cache that are in the partition by now are forgotten, unless
   * they are dirty. With a value, which is TagHashes then, only those that have one of these tags.
   */
  invalidation: 32,
} as const;

export function isInvalidation({ flags }: Pick<ReplicatedRecord, 'flags'>): boolean {
  return (flags & RecordFlag.invalidation) !== 0;
}

/** No client asks for it by number: to do it twice does no harm. */
export function invalidationRecord(of: Pick<RecordParts, 'epoch' | 'seq' | 'cache' | 'value'>): ReplicatedRecord {
  return recordOf({ ...of, key: NO_KEY, ttlMs: 0, flags: RecordFlag.invalidation, request: undefined, result: 0 });
}

/** A record by its key and value. */
export interface RecordParts extends Omit<ReplicatedRecord, keyof PackedBytes> {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

export function recordOf({
  epoch,
  seq,
  cache,
  key,
  value,
  ttlMs,
  flags,
  request,
  result,
}: RecordParts): ReplicatedRecord {
  return { epoch, seq, cache, ...packed(key, value), ttlMs, flags, request, result };
}

export function hasValue({ valueStart }: Pick<ReplicatedRecord, 'valueStart'>): boolean {
  return valueStart !== NO_VALUE;
}

const NO_KEY = Buffer.alloc(0);

/** Numbers are drawn by each client one by one, so that one number can say which ones are settled. */
export interface RequestId {
  /** A random number of 53 bits, drawn when the client started. */
  readonly client: number;
  readonly number: number;
  /** The client has got, or has given up, its answers to all requests below this number. */
  readonly settledBelow: number;
}

/** What a record takes in a queue, more or less. */
export function recordBytes(record: ReplicatedRecord): number {
  return RECORD_OVERHEAD_BYTES + record.keyEnd - record.keyStart + record.valueEnd - record.valueStart;
}

const RECORD_OVERHEAD_BYTES = 64;
