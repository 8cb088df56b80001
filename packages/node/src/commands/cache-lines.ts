import type { Distribution } from '@larder/base';
import type { CacheStatistics } from '../server/cache-statistics.js';
import { bytesText, countOf, durationText, grouped, listText, percentText } from './figures.js';

/** One cache's statistics as text: a line a subject, and of that only what is not zero. */
export function cacheLines(cache: CacheStatistics): string[] {
  const lines = [
    line('entries', entriesText(cache)),
    line('reads', readsText(cache)),
    line('misses', missesText(cache)),
    line('loads', loadsText(cache)),
    line('refreshes', refreshesText(cache)),
    line('leases', leasesText(cache)),
    line('load time', timesText(cache.loadMs, cache.loadKeys, 'keys')),
    line('writes', writesText(cache)),
    line('write time', timesText(cache.writeMs, cache.writeRows, 'rows')),
    line('pending', pendingText(cache)),
    line('dead letters', deadLettersText(cache)),
    line('breaker', cache.breaker === 'open' ? 'open: the database is away, loads and writes fail at once' : ''),
  ];
  return [`cache ${cache.name}`, ...lines.filter((text) => text !== '')];
}

function line(subject: string, text: string): string {
  return text === '' ? '' : `  ${subject.padEnd(16)}${text}`;
}

/** Nothing for 0. */
function some(count: number, what: string): string | undefined {
  return count > 0 ? `${grouped(count)} ${what}` : undefined;
}

function entriesText({ entries, bytes, evictions, expirations }: CacheStatistics): string {
  return listText([
    entries > 0 && `${grouped(entries)} with their copies, in ${bytesText(bytes)}`,
    some(evictions, 'evicted'),
    some(expirations, 'expired'),
  ]);
}

function readsText({ hits, misses, staleServed }: CacheStatistics): string {
  const reads = hits + misses;
  const hitText = reads > 0 && `${grouped(reads)}, ${percentText(hits / reads)} hits`;
  return listText([hitText, some(staleServed, 'served stale')]);
}

function missesText(cache: CacheStatistics): string {
  const { misses, missesCold, missesExpired, missesEvicted, missesInvalidated, missesMoved, missesLoadFailed } = cache;
  if (misses === 0) return '';
  const causes = [
    some(missesCold, 'cold'),
    some(missesExpired, 'expired'),
    some(missesEvicted, 'evicted'),
    some(missesInvalidated, 'invalidated'),
    some(missesMoved, 'moved'),
    some(missesLoadFailed, 'load failed'),
  ];
  return `${grouped(misses)}: ${listText(causes)}`;
}

function loadsText(cache: CacheStatistics): string {
  const { loads, loadsFound, loadFailures, readStatements, coalescedWaiters } = cache;
  return listText([
    loads > 0 && `${countOf(loads, 'key')} in ${countOf(readStatements, 'statement')}`,
    loads > 0 && `${grouped(loadsFound)} found`,
    some(loadFailures, 'failed'),
    some(coalescedWaiters, 'gets waited for the load of another'),
  ]);
}

function refreshesText({ refreshes, refreshesSkipped }: CacheStatistics): string {
  return listText([some(refreshes, 'before their life was over'), some(refreshesSkipped, 'skipped')]);
}

function leasesText({ leases, leasesExpired, refusedFills }: CacheStatistics): string {
  return listText([
    some(leases, 'granted to applications that load'),
    some(leasesExpired, 'ran out'),
    some(refusedFills, 'fills came too late'),
  ]);
}

function writesText(cache: CacheStatistics): string {
  const { sets, deletes, rowsWritten, writeStatements, coalescedWrites, writeFailures } = cache;
  const { spilledWrites, fencedStatements, invalidations } = cache;
  return listText([
    sets > 0 && countOf(sets, 'set'),
    deletes > 0 && countOf(deletes, 'delete'),
    invalidations > 0 && countOf(invalidations, 'invalidation'),
    writeStatements > 0 && `${countOf(rowsWritten, 'row')} in ${countOf(writeStatements, 'statement')}`,
    some(coalescedWrites, 'coalesced'),
    some(spilledWrites, 'straight to the database'),
    some(fencedStatements, 'fenced'),
    some(writeFailures, 'failed'),
  ]);
}

function timesText(
  times: Distribution | null | undefined,
  sizes: Distribution | null | undefined,
  what: string,
): string {
  if (times == null) return '';
  const { p50, p99, max } = times;
  const size =
    sizes == null ? '' : `; ${what} of a statement: mean ${sizes.mean.toFixed(1)}, max ${grouped(sizes.max)}`;
  return `p50 ${durationText(p50)}, p99 ${durationText(p99)}, max ${durationText(max)}${size}`;
}

function deadLettersText({
  refusedRows,
  givenUpRows,
  deadLettersRetried,
  deadLettersDiscarded,
}: CacheStatistics): string {
  return listText([
    some(refusedRows, 'refused by the database'),
    some(givenUpRows, 'of them not tried again by themselves'),
    some(deadLettersRetried, 'retried by hand'),
    some(deadLettersDiscarded, 'discarded'),
  ]);
}

function pendingText({ pendingWrites, oldestPendingMs }: CacheStatistics): string {
  return listText([
    pendingWrites > 0 && `${countOf(pendingWrites, 'write')}, the oldest for ${durationText(oldestPendingMs)}`,
  ]);
}
