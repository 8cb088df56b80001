/** The loader's part of CacheStatistics in larder/v1/admin.proto. Counts since the loader was made. */
export interface LoaderStatistics {
  /** Gets answered from memory, also "no such row" ones. */
  readonly hits: number;
  readonly misses: number;
  readonly sets: number;
  readonly deletes: number;
  /** Keys asked of the origin. */
  readonly loads: number;
  readonly loadsFound: number;
  readonly loadFailures: number;
  /** Gets that waited for somebody else's load. */
  readonly coalescedWaiters: number;
  readonly readStatements: number;
  readonly writeStatements: number;
  /** Rows that writes and deletes have changed in the origin. */
  readonly rowsWritten: number;
  /** Write-behind: writes that a later one to the same key made unnecessary. */
  readonly coalescedWrites: number;
  /** Writes that have not reached the origin. */
  readonly pendingWrites: number;
  readonly oldestPendingMs: number;
  /** Write attempts of a row that failed. */
  readonly writeFailures: number;
  /** Write-behind: rows that the origin refuses. They stay pending and are tried again. */
  readonly refusedRows: number;
}

export class LoaderCounters {
  hits = 0;
  misses = 0;
  sets = 0;
  deletes = 0;
  loads = 0;
  loadsFound = 0;
  loadFailures = 0;
  coalescedWaiters = 0;
  readStatements = 0;
  writeStatements = 0;
  rowsWritten = 0;
  coalescedWrites = 0;
  writeFailures = 0;
}
