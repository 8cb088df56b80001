/**
 * One change of one key, as it travels and is kept: it carries the state that results, never how it came about, so that
 * applying it twice is harmless. Records are never changed once they are made.
 */
export interface ReplicatedRecord {
  /** The version that the change gave the entry: the epoch in which it was made, and its number in the partition. */
  readonly epoch: number;
  readonly seq: number;
  readonly cache: number;
  readonly key: Uint8Array;
  /** Undefined: the entry is deleted, or a tombstone or negative, or forgotten by followers (flag `unsure`). */
  readonly value: Uint8Array | undefined;
  /** Remaining life when the record leaves its sender; 0: it never expires. */
  readonly ttlMs: number;
  /** Bits of EntryFlag: a dirty record is one that the database does not have yet. */
  readonly flags: number;
  /** Absent for changes that no client asked for, such as expiry. */
  readonly request: RequestId | undefined;
  /** What the client was told, to be told again if it asks again. */
  readonly result: number;
}

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
  return RECORD_OVERHEAD_BYTES + record.key.length + (record.value === undefined ? 0 : record.value.length);
}

const RECORD_OVERHEAD_BYTES = 64;
