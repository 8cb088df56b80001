/** GetStatisticsResponse of larder/v1/admin.proto: counters of one node since its start. */
export interface NodeStatistics {
  readonly nodeId: string;
  readonly uptimeMs: number;
  readonly sessions: number;
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
  readonly caches: readonly CacheStatistics[];
}

export interface CacheStatistics {
  readonly name: string;
  readonly entries: number;
  readonly bytes: number;
  readonly hits: number;
  /** The sum of those below: why they were missed. */
  readonly misses: number;
  readonly missesCold: number;
  readonly missesExpired: number;
  readonly missesEvicted: number;
  readonly missesInvalidated: number;
  readonly missesMoved: number;
  readonly missesLoadFailed: number;
  readonly sets: number;
  readonly deletes: number;
  readonly evictions: number;
  readonly expirations: number;
  readonly loads: number;
  readonly loadsFound: number;
  readonly loadFailures: number;
  readonly coalescedWaiters: number;
  readonly readStatements: number;
  readonly writeStatements: number;
  readonly rowsWritten: number;
  readonly coalescedWrites: number;
  readonly pendingWrites: number;
  readonly oldestPendingMs: number;
  readonly writeFailures: number;
  /** Of the pending writes, those that the database refuses. */
  readonly refusedRows: number;
  /** How long the database took for loads, in ms, and how many keys a statement had; null: there were none lately. */
  readonly loadMs: Distribution | null;
  readonly loadKeys: Distribution | null;
  readonly writeMs: Distribution | null;
  readonly writeRows: Distribution | null;
  /** Cache-aside: leases granted to applications that load, those that ran out, and fills that came too late. */
  readonly leases: number;
  readonly leasesExpired: number;
  readonly refusedFills: number;
  /** `open`: the database is away, and loads and writes fail at once. `none`: there is no breaker. */
  readonly breaker: 'closed' | 'open' | 'none';
  /** Of the refused rows, those that are not tried again by themselves. */
  readonly givenUpRows: number;
  readonly deadLettersRetried: number;
  readonly deadLettersDiscarded: number;
  /** Write-behind: writes that were made write-through because too much was pending. */
  readonly spilledWrites: number;
  /** Statements that did nothing because another node had taken partitions over. */
  readonly fencedStatements: number;
  /** Values that were loaded anew before their life was over, and those that were not because too many were already. */
  readonly refreshes: number;
  readonly refreshesSkipped: number;
  /** Gets that were answered with a value whose life was over, because the database could not be asked. */
  readonly staleServed: number;
  /** Of tags or of all, counted at each node that carried them out. */
  readonly invalidations: number;
}

/** Of the last one to two minutes. Percentiles are at most an eighth too high. */
export interface Distribution {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}
