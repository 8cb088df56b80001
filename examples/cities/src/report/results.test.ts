import type { CacheStatistics, NodeStatistics } from '@larder/client';
import { expect, test } from 'vitest';
import { Measurements } from '../workload/measurements.js';
import { insideText } from './inside.js';
import { summarize } from './results.js';
import { tableText } from './table.js';

function node(nodeId: string, cities: Partial<CacheStatistics>): NodeStatistics {
  return { nodeId, caches: [{ name: 'cities', ...ZEROS, ...cities }] } as unknown as NodeStatistics;
}

const ZEROS = {
  ...{ hits: 0, misses: 0, missesCold: 0, missesExpired: 0, missesEvicted: 0, missesInvalidated: 0, missesMoved: 0 },
  ...{ missesLoadFailed: 0, loads: 0, readStatements: 0, writeStatements: 0, rowsWritten: 0, coalescedWaiters: 0 },
  ...{ refreshes: 0, staleServed: 0, pendingWrites: 0, refusedRows: 0, loadMs: null, writeMs: null },
};

async function measured(cities: number, failed: number): Promise<Measurements> {
  const measurements = new Measurements();
  for (let call = 0; call < cities; call++) await measurements.measure('cities', async () => 'value');
  const failing = () => measurements.measure('cities', () => Promise.reject(new Error('no database')));
  for (let call = 0; call < failed; call++) await expect(failing()).rejects.toThrow('no database');
  return measurements;
}

test('counters of the nodes are summed, and only what came during the run counts', async () => {
  const before = [node('n1', { hits: 1_000, misses: 500 }), node('n2', { readStatements: 7 })];
  const after = [
    node('n1', { hits: 1_060, misses: 520 }),
    node('n2', {
      ...{ hits: 20, readStatements: 9, writeStatements: 1, loads: 5, missesCold: 5 },
      loadMs: { count: 5, mean: 1, p50: 1, p99: 7, max: 8 },
    }),
  ];
  const results = summarize({
    measurements: await measured(100, 0),
    seconds: 2,
    rows: 5,
    before,
    after,
    furtherErrors: 0,
  });
  expect(results).toMatchObject({ nodes: 2, rows: 5, errors: 0 });
  expect(results.caches.cities).toMatchObject({
    ops: 100,
    opsPerSecond: 50,
    hitRatio: 0.8,
    dbStatements: 3,
    dbStatementsAvoided: 97,
    ...{ misses: { cold: 5, expired: 0 }, loads: 5, keysPerLoad: 2.5, loadP99Ms: 7, rowsPerWrite: 0 },
  });
  expect(results.caches.cities.p99Ms).toBeGreaterThan(0);
  expect(results.caches.audit).toMatchObject({ ops: 0, hitRatio: 0, p50Ms: 0, dbStatements: 0 });
});

test('failed calls are operations and errors, and so are further errors', async () => {
  const measurements = await measured(3, 2);
  const results = summarize({ measurements, seconds: 1, rows: 5, before: [], after: [], furtherErrors: 4 });
  expect(results.caches.cities.ops).toBe(5);
  expect(results.errors).toBe(6);
  expect([...measurements.errorTexts]).toEqual(['cities: no database']);
});

test('what the nodes counted is a line a cache, without what is zero', async () => {
  const after = [
    node('n1', { misses: 3, missesCold: 2, missesExpired: 1, loads: 3, readStatements: 2, refusedRows: 1 }),
  ];
  const run = { measurements: await measured(3, 0), seconds: 1, rows: 5, before: [], after, furtherErrors: 0 };
  const [cities, visits] = insideText(summarize(run)).split('\n');
  expect(cities).toBe('cities    misses: 2 cold, 1 expired; 3 loads, p99 0 ms, 1.5 keys a statement; dead letters: 1');
  expect(visits).toBe('visits    no misses');
});

test('the table has a line for each cache, aligned', async () => {
  const results = summarize({
    measurements: await measured(3, 0),
    seconds: 1,
    rows: 5,
    before: [],
    after: [],
    furtherErrors: 0,
  });
  const lines = tableText(results).split('\n');
  expect(lines.slice(2).map((line) => line.trim().split(' ')[0])).toEqual(['cities', 'visits', 'audit', 'sessions']);
  expect(new Set(lines.map((line) => line.length)).size).toBe(1);
});
