import type { ReplicatedRecord } from './record.js';

/**
 * The entries of one copy of one partition, as replication sees them: the seam to the storage. On the owner they hold
 * committed values only; on a successor whatever has come.
 *
 * A copy never evicts or expires anything by itself but on its owner, which replicates both as deletes.
 */
export interface CopyEntries {
  apply(record: ReplicatedRecord): void;
  /** The database has this version. An entry of another version stays dirty; a clean tombstone goes. */
  clean(cache: number, key: Uint8Array, epoch: number, seq: number): void;
  /**
   * Visits about `countMax` entries from `cursor` (0: the start), as records without request. Returns where to go on,
   * or 0 at the end. An entry that is there throughout is visited at least once.
   */
  scan(cursor: number, countMax: number, visit: (record: ReplicatedRecord) => void): number;
  /** Takes everything away. */
  clear(): void;
}
