import type { CacheStatistics, NodeStatistics } from '@larder/client';
import { CACHE_NAMES, type CacheName, type Measurements } from '../workload/measurements.js';

/** A line of the table, and an object of the JSON. */
export interface CacheResult {
  readonly ops: number;
  readonly opsPerSecond: number;
  /** Share of the nodes' reads that memory answered; 0 if there were none. */
  readonly hitRatio: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** What PostgreSQL was sent, by the nodes and by the application itself. */
  readonly dbStatements: number;
  /** An application without a cache sends one statement for each operation. */
  readonly dbStatementsAvoided: number;
  /** Of the nodes' reads, by cause. */
  readonly misses: {
    readonly cold: number;
    readonly expired: number;
    readonly evicted: number;
    readonly invalidated: number;
    readonly moved: number;
    readonly 'load failed': number;
  };
  /** Rows asked of PostgreSQL by the nodes; how long a statement took, on the slowest node, and how many it asked for. */
  readonly loads: number;
  readonly loadP99Ms: number;
  readonly keysPerLoad: number;
  readonly coalescedWaiters: number;
  readonly writeP99Ms: number;
  readonly rowsPerWrite: number;
  readonly refreshes: number;
  readonly staleServed: number;
  /** When the run was over, and the writes on their way had been waited for. */
  readonly pendingWrites: number;
  readonly deadLetters: number;
}

export interface Results {
  readonly nodes: number;
  readonly rows: number;
  readonly caches: Readonly<Record<CacheName, CacheResult>>;
  readonly errors: number;
}

export interface Run {
  readonly measurements: Measurements;
  readonly seconds: number;
  readonly rows: number;
  readonly before: readonly NodeStatistics[];
  readonly after: readonly NodeStatistics[];
  /** Failures that no single call showed: counters that the database does not agree on. */
  readonly furtherErrors: number;
}

export function summarize(run: Run): Results {
  const entries = CACHE_NAMES.map((name) => [name, cacheResult(run, name)] as const);
  return {
    nodes: run.after.length,
    rows: run.rows,
    caches: Object.fromEntries(entries) as Record<CacheName, CacheResult>,
    errors: run.measurements.errors + run.furtherErrors,
  };
}

function cacheResult(run: Run, name: CacheName): CacheResult {
  const { ops, latency, ownStatements } = run.measurements.byCache[name];
  const grown = (counter: CounterName) => total(run.after, name, counter) - total(run.before, name, counter);
  const hits = grown('hits');
  const reads = hits + grown('misses');
  const dbStatements = grown('readStatements') + grown('writeStatements') + ownStatements;
  return {
    ops,
    opsPerSecond: Math.round(ops / run.seconds),
    hitRatio: reads === 0 ? 0 : rounded(hits / reads, 4),
    p50Ms: rounded(latency.percentileMs(0.5), 3),
    p95Ms: rounded(latency.percentileMs(0.95), 3),
    p99Ms: rounded(latency.percentileMs(0.99), 3),
    dbStatements,
    dbStatementsAvoided: Math.max(0, ops - dbStatements),
    ...inside(run, name, grown),
  };
}

function inside(run: Run, name: CacheName, grown: (counter: CounterName) => number) {
  return {
    misses: {
      cold: grown('missesCold'),
      expired: grown('missesExpired'),
      evicted: grown('missesEvicted'),
      invalidated: grown('missesInvalidated'),
      moved: grown('missesMoved'),
      'load failed': grown('missesLoadFailed'),
    },
    loads: grown('loads'),
    loadP99Ms: slowest(run.after, name, 'loadMs'),
    keysPerLoad: ratio(grown('loads'), grown('readStatements')),
    coalescedWaiters: grown('coalescedWaiters'),
    writeP99Ms: slowest(run.after, name, 'writeMs'),
    rowsPerWrite: ratio(grown('rowsWritten'), grown('writeStatements')),
    refreshes: grown('refreshes'),
    staleServed: grown('staleServed'),
    pendingWrites: total(run.after, name, 'pendingWrites'),
    deadLetters: total(run.after, name, 'refusedRows'),
  };
}

/** The worst 99th percentile of the nodes, of the last one to two minutes. */
function slowest(nodes: readonly NodeStatistics[], cache: string, time: 'loadMs' | 'writeMs'): number {
  const caches = nodes.flatMap((node) => node.caches.filter(({ name }) => name === cache));
  return rounded(Math.max(0, ...caches.map((statistics) => statistics[time]?.p99 ?? 0)), 2);
}

function ratio(items: number, statements: number): number {
  return statements === 0 ? 0 : rounded(items / statements, 1);
}

type CounterName = {
  [Field in keyof CacheStatistics]: CacheStatistics[Field] extends number ? Field : never;
}[keyof CacheStatistics];

/** The sum over all nodes. */
export function total(nodes: readonly NodeStatistics[], cache: string, counter: CounterName): number {
  return nodes
    .flatMap((node) => node.caches.filter((statistics) => statistics.name === cache))
    .reduce((sum, statistics) => sum + statistics[counter], 0);
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
