import type { Distribution } from '@larder/base';
import { MissCause } from './miss-cause.js';
import type { BreakerState } from './origins/breaker.js';

/** The loader's part of CacheStatistics in larder/v1/admin.proto. Counts since the loader was made. */
export interface LoaderStatistics {
  /** Gets answered from memory, also "no such row" ones. */
  readonly hits: number;
  /** The sum of those below, by cause; see MissCause. */
  readonly misses: number;
  readonly missesCold: number;
  readonly missesExpired: number;
  readonly missesEvicted: number;
  readonly missesInvalidated: number;
  readonly missesMoved: number;
  readonly missesLoadFailed: number;
  readonly sets: number;
  readonly deletes: number;
  /** Invalidations of tags, and clears. */
  readonly invalidations: number;
  /** Keys asked of the origin. */
  readonly loads: number;
  readonly loadsFound: number;
  readonly loadFailures: number;
  /** Gets that waited for somebody else's load. */
  readonly coalescedWaiters: number;
  /** Keys loaded in the background before their life was over. */
  readonly refreshes: number;
  /** Such loads that were not begun because there were too many. */
  readonly refreshesSkipped: number;
  /** Gets answered with an entry whose life was over, because the origin was away. */
  readonly staleServed: number;
  /** Cache-aside: leases granted to applications that load. */
  readonly leases: number;
  /** Leases whose time was over before they were filled. */
  readonly leasesExpired: number;
  /** Fills that came after the end of their lease, such as after a write of the key. */
  readonly refusedFills: number;
  /** `open`: the database is away, and loads and writes fail at once. `none`: there is no breaker. */
  readonly breaker: BreakerState | 'none';
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
  /** Write-behind: rows that the origin refuses. They stay pending: dead letters. */
  readonly refusedRows: number;
  /** Of these, the ones that are not tried again by themselves. */
  readonly givenUpRows: number;
  /** Dead letters that somebody has had tried again, or has discarded. */
  readonly deadLettersRetried: number;
  readonly deadLettersDiscarded: number;
  /** Write-behind: writes that were made write-through because too much was pending. */
  readonly spilledWrites: number;
  /** Statements that did nothing because another node had taken partitions over. */
  readonly fencedStatements: number;
  /** How long the origin took to answer loads, of the last one to two minutes; undefined: there were none. */
  readonly loadMs: Distribution | undefined;
  /** Keys of one load. */
  readonly loadKeys: Distribution | undefined;
  /** The same for writes and deletes. */
  readonly writeMs: Distribution | undefined;
  /** Rows of one write. */
  readonly writeRows: Distribution | undefined;
}

export class LoaderCounters {
  hits = 0;
  misses = 0;
  missesCold = 0;
  missesExpired = 0;
  missesEvicted = 0;
  missesInvalidated = 0;
  missesMoved = 0;
  missesLoadFailed = 0;
  sets = 0;
  deletes = 0;
  invalidations = 0;
  loads = 0;
  loadsFound = 0;
  loadFailures = 0;
  coalescedWaiters = 0;
  refreshes = 0;
  refreshesSkipped = 0;
  staleServed = 0;
  leases = 0;
  leasesExpired = 0;
  refusedFills = 0;
  readStatements = 0;
  writeStatements = 0;
  rowsWritten = 0;
  coalescedWrites = 0;
  writeFailures = 0;
  deadLettersRetried = 0;
  deadLettersDiscarded = 0;
  spilledWrites = 0;
  fencedStatements = 0;

  /** Every miss is counted here, so that the causes add up. */
  miss(cause: MissCause): void {
    this.misses++;
    switch (cause) {
      case MissCause.cold:
        this.missesCold++;
        return;
      case MissCause.expired:
        this.missesExpired++;
        return;
      case MissCause.evicted:
        this.missesEvicted++;
        return;
      case MissCause.invalidated:
        this.missesInvalidated++;
        return;
      case MissCause.moved:
        this.missesMoved++;
        return;
      case MissCause.loadFailed:
        this.missesLoadFailed++;
    }
  }
}
