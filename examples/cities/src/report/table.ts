import { CACHE_NAMES, type CacheName } from '../workload/measurements.js';
import type { CacheResult, Results } from './results.js';

const STRATEGIES: Readonly<Record<CacheName, string>> = {
  cities: 'read-through, write-through',
  visits: 'read-through, write-behind',
  audit: 'read-through, write-around',
  sessions: 'cache-aside, ttl',
};

const COLUMNS: readonly { readonly title: string; readonly text: (name: CacheName, result: CacheResult) => string }[] =
  [
    { title: 'cache', text: (name) => name },
    { title: 'strategies', text: (name) => STRATEGIES[name] },
    { title: 'ops/s', text: (_, result) => grouped(result.opsPerSecond) },
    { title: 'hit ratio', text: (_, result) => `${(result.hitRatio * 100).toFixed(1)} %` },
    { title: 'p50 ms', text: (_, result) => result.p50Ms.toFixed(2) },
    { title: 'p95 ms', text: (_, result) => result.p95Ms.toFixed(2) },
    { title: 'p99 ms', text: (_, result) => result.p99Ms.toFixed(2) },
    { title: 'operations', text: (_, result) => grouped(result.ops) },
    { title: 'db statements', text: (_, result) => grouped(result.dbStatements) },
    { title: 'avoided', text: (_, result) => grouped(result.dbStatementsAvoided) },
  ];

/** Words to the left, figures to the right. */
const WORD_COLUMNS = 2;

export function tableText(results: Results): string {
  const rows = CACHE_NAMES.map((name) => COLUMNS.map((column) => column.text(name, results.caches[name])));
  const titles = COLUMNS.map((column) => column.title);
  const widths = titles.map((title, index) =>
    Math.max(title.length, ...rows.map((row) => (row[index] as string).length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) =>
        index < WORD_COLUMNS ? cell.padEnd(widths[index] as number) : cell.padStart(widths[index] as number),
      )
      .join('  ');
  return [line(titles), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
