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
  readonly misses: number;
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
}
