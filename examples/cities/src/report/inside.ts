import { CACHE_NAMES } from '../workload/measurements.js';
import type { CacheResult, Results } from './results.js';
import { grouped } from './table.js';

/** What the nodes have counted during the run, a line a cache, and of that only what is not zero. */
export function insideText(results: Results): string {
  const width = Math.max(...CACHE_NAMES.map((name) => name.length));
  return CACHE_NAMES.map((name) => `${name.padEnd(width)}  ${parts(results.caches[name]).join('; ')}`).join('\n');
}

function parts(result: CacheResult): string[] {
  const { loads, loadP99Ms, keysPerLoad, writeP99Ms, rowsPerWrite, coalescedWaiters, pendingWrites } = result;
  return [
    missesText(result.misses),
    loads > 0 ? `${grouped(loads)} loads, p99 ${loadP99Ms} ms, ${keysPerLoad} keys a statement` : '',
    coalescedWaiters > 0 ? `${grouped(coalescedWaiters)} gets waited for the load of another` : '',
    rowsPerWrite > 0 ? `writes p99 ${writeP99Ms} ms, ${rowsPerWrite} rows a statement` : '',
    result.refreshes > 0 ? `${grouped(result.refreshes)} refreshed before their life was over` : '',
    result.staleServed > 0 ? `${grouped(result.staleServed)} served stale` : '',
    pendingWrites > 0 ? `${grouped(pendingWrites)} writes pending` : '',
    result.deadLetters > 0 ? `dead letters: ${grouped(result.deadLetters)}` : '',
  ].filter((text) => text !== '');
}

function missesText(misses: CacheResult['misses']): string {
  const causes = Object.entries(misses).filter(([, count]) => count > 0);
  if (causes.length === 0) return 'no misses';
  return `misses: ${causes.map(([cause, count]) => `${grouped(count)} ${cause}`).join(', ')}`;
}
