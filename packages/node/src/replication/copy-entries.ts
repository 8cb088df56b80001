import type { ReplicatedRecord } from './record.js';

/**
 * The entries of one copy of one partition, as replication sees them: the seam to the storage. On the owner they hold
 * what was written last, committed or not; on a successor or learner whatever has come.
 *
 * A copy never evicts or expires anything by itself but on its owner, where both become records.
 */
export interface CopyEntries {
  /** How many there are. */
  readonly count: number;
  /** False while entries of an older copy of the partition are still being taken away: nothing may be applied yet. */
  readonly ready: boolean;
  /**
   * Another node's record, here on a successor or learner: puts the entry under the record's version, or removes it.
   * An invalidation makes all entries of lower seqs absent that it concerns and that are not dirty.
   * A record without a value removes the entry unless it is a tombstone or negative; the flag `unsure` removes it too.
   * False: there is no room for it. The copy then stands still until its owner goes on without it.
   */
  apply(record: ReplicatedRecord): boolean;
  /** The database has this version. An entry of another version stays dirty; a clean tombstone goes. */
  clean(cache: number, key: Uint8Array, epoch: number, seq: number): void;
  /**
   * Visits about `countMax` entries from `cursor` (0: the start), as records without request. Returns where to go on,
   * or 0 at the end. An entry that is there throughout is visited at least once. Entries that are unsure are left out.
   */
  scan(cursor: number, countMax: number, visit: (record: ReplicatedRecord) => void): number;
  /** Takes everything away; until that is done `ready` may be false. */
  clear(): void;
}
