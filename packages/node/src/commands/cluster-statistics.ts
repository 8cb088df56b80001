import type { Distribution } from '@larder/base';
import type { CacheStatistics, NodeStatistics } from '../server/cache-statistics.js';

/**
 * One cache over all nodes: counts are added up; of what is a maximum, an age, a percentile or a state, the node that is
 * worst off says it. Goes by what a field looks like, so that a counter that is new needs nothing here.
 */
export function clusterStatistics(nodes: readonly NodeStatistics[]): CacheStatistics[] {
  const byName = new Map<string, CacheStatistics>();
  for (const cache of nodes.flatMap(({ caches }) => caches)) {
    const known = byName.get(cache.name);
    byName.set(cache.name, known === undefined ? cache : merged(known, cache));
  }
  return [...byName.values()];
}

function merged(one: CacheStatistics, other: CacheStatistics): CacheStatistics {
  const entries = Object.entries(one).map(([field, value]) => [
    field,
    mergedField(field, value, (other as unknown as Readonly<Record<string, unknown>>)[field]),
  ]);
  return Object.fromEntries(entries) as CacheStatistics;
}

function mergedField(field: string, one: unknown, other: unknown): unknown {
  if (typeof one === 'number' && typeof other === 'number') {
    return /^oldest/.test(field) ? Math.max(one, other) : one + other;
  }
  if (isDistribution(one) && isDistribution(other)) return mergedDistribution(one, other);
  if (typeof one === 'string' && typeof other === 'string') return worst(one, other);
  return one ?? other;
}

/** A breaker that is not closed on one node is what an operator has to see. */
function worst(one: string, other: string): string {
  return one === 'closed' || one === '' ? other : one;
}

function mergedDistribution(one: Distribution, other: Distribution): Distribution {
  const count = one.count + other.count;
  return {
    count,
    mean: (one.mean * one.count + other.mean * other.count) / count,
    p50: Math.max(one.p50, other.p50),
    p99: Math.max(one.p99, other.p99),
    max: Math.max(one.max, other.max),
  };
}

function isDistribution(value: unknown): value is Distribution {
  return typeof value === 'object' && value !== null && 'p99' in value;
}
