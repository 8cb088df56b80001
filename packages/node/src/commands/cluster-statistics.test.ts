import { expect, test } from 'vitest';
import type { CacheStatistics, NodeStatistics } from '../server/cache-statistics.js';
import { cacheLines } from './cache-lines.js';
import { clusterStatistics } from './cluster-statistics.js';

function node(nodeId: string, cache: Partial<CacheStatistics>): NodeStatistics {
  return { nodeId, caches: [{ name: 'rows', ...cache }] } as unknown as NodeStatistics;
}

test('counts are added up; of ages, percentiles and states the node says it that is worst off', () => {
  const quiet = { hits: 3, oldestPendingMs: 10, breaker: 'closed' as const, loadMs: undefined };
  const busy = { count: 10, mean: 2, p50: 1, p99: 8, max: 9 };
  const busier = { count: 30, mean: 6, p50: 4, p99: 7, max: 20 };
  const nodes = [
    node('n1', quiet),
    node('n2', { hits: 4, oldestPendingMs: 500, breaker: 'open', loadMs: busy }),
    node('n3', { hits: 5, oldestPendingMs: 0, breaker: 'closed', loadMs: busier }),
  ];
  expect(clusterStatistics(nodes)).toEqual([
    {
      ...{ name: 'rows', hits: 12, oldestPendingMs: 500, breaker: 'open' },
      loadMs: { count: 40, mean: 5, p50: 4, p99: 8, max: 20 },
    },
  ]);
  expect(clusterStatistics([])).toEqual([]);
});

test('what is zero is not shown, and an open breaker is', () => {
  const cache = { name: 'rows', breaker: 'closed', ...none() } as CacheStatistics;
  expect(cacheLines(cache)).toEqual(['cache rows']);
  expect(cacheLines({ ...cache, breaker: 'open' })).toEqual([
    'cache rows',
    '  breaker         open: the database is away, loads and writes fail at once',
  ]);
});

function none(): Partial<CacheStatistics> {
  const counters = [
    ...['entries', 'bytes', 'evictions', 'expirations', 'hits', 'misses', 'loads', 'sets', 'deletes', 'invalidations'],
    ...['coalescedWaiters', 'pendingWrites', 'refusedRows', 'leases', 'refreshes', 'staleServed', 'writeStatements'],
  ];
  return Object.fromEntries(counters.map((name) => [name, 0]));
}
