/** The benches of reading and of outages in short form: what they find counts here, not how fast. */
import { expect, test } from 'vitest';
import { runBench } from './run-bench.js';

test('cold-key: many processes ask for one key: one query, or two if its owner is killed', async () => {
  const once = { calls: 300, queries: 1, failed: 0 };
  const twice = { calls: 300, queries: 2, failed: 0 };
  expect(await runBench('cold-key', '--processes', '3', '--calls', '100')).toMatchObject({
    readThrough: once,
    getOrSet: once,
    readThroughOwnerKilled: twice,
    getOrSetOwnerKilled: twice,
  });
}, 120_000);

test('refresh: a key that is hit all the time is missed by nobody', async () => {
  const lives = ['--ttl-ms', '3000', '--lives', '2', '--fraction', '0.6', '--callers', '2'];
  const result = (await runBench('refresh', ...lives)) as Record<string, { misses: number; loads: number }>;
  expect(result.refreshAhead).toMatchObject({ misses: 0, loads: expect.any(Number) });
  expect(result.refreshAhead?.loads).toBeGreaterThanOrEqual(2);
  expect(result.withoutRefresh?.misses).toBeGreaterThan(0);
}, 60_000);

test('outage: hits and stale entries are served, misses fail, and every acknowledged write arrives', async () => {
  const result = (await runBench('outage', '--seconds', '2', '--rate', '50')) as {
    readonly hits: object;
    readonly stale: { readonly calls: number };
    readonly misses: { readonly calls: number };
  };
  expect(result).toMatchObject({
    hits: { failures: {} },
    stale: { failures: {}, stale: result.stale.calls },
    misses: { failures: { ORIGIN_UNAVAILABLE: result.misses.calls } },
    writes: { failures: {}, dropped: 0 },
  });
  expect(result.misses.calls).toBeGreaterThan(0);
}, 120_000);

test('node-loss: when one of three nodes is killed the database has no more to do than its cap, and reads go on', async () => {
  const short = [
    '--warm-up',
    '3',
    '--before',
    '2',
    '--after',
    '8',
    '--rate',
    '100',
    '--rows',
    '500',
    '--pool-size',
    '2',
  ];
  const result = (await runBench('node-loss', ...short)) as {
    readonly reads: { readonly before: object; readonly after: { readonly count: number } };
    readonly hitRatio: { readonly after: number };
    readonly database: { readonly connectionsMax: number; readonly connectionsCap: number };
  };
  expect(result.reads.before).toMatchObject({ failed: {} });
  expect(result.reads.after.count).toBeGreaterThan(100);
  expect(result.hitRatio.after).toBeGreaterThan(0);
  expect(result.database.connectionsCap).toBe(6);
  expect(result.database.connectionsMax).toBeLessThanOrEqual(6);
  expect(result.database.connectionsMax).toBeGreaterThan(0);
}, 120_000);
