import { type FreshDatabase, freshDatabase, type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CallRecord } from './call-record.js';
import { ChaosDatabase } from './chaos-database.js';
import { Evidence } from './evidence.js';
import { KeyHistories } from './key-histories.js';

// What a run must find, planted: in what clients say, and in a real database.

let postgres: Postgres;
let fresh: FreshDatabase;
let database: ChaosDatabase;
let sql: pg.Client;
let evidence: Evidence;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  fresh = await freshDatabase(postgres.url);
  database = await ChaosDatabase.open(fresh.url);
  sql = new pg.Client({ connectionString: fresh.url });
  await sql.connect();
  evidence = new Evidence(database, new KeyHistories(['c']));
});
afterEach(async () => {
  await sql.end();
  await database.close();
  await fresh.drop();
});

const common = { key: 'k', cache: 'behind', client: 'c', outcome: 'ok' } as const;

function set(value: string, beganMs: number, rest: Partial<CallRecord> = {}): CallRecord {
  return { ...common, kind: 'set', value, beganMs, endedMs: beganMs + 1, version: BigInt(beganMs), ...rest };
}

function get(result: string | undefined, beganMs: number): CallRecord {
  return { ...common, kind: 'get', result, beganMs, endedMs: beganMs + 1 };
}

async function judge(...records: CallRecord[]): Promise<void> {
  evidence.add('c', {
    kind: 'calls',
    calls: records.map((record) => ({ record, endMs: 100 })),
    toldUntilMs: 1_000_000,
  });
  await evidence.judge();
  await evidence.compareTables();
}

async function write(...values: string[]): Promise<void> {
  for (const value of values) {
    await sql.query("INSERT INTO behind VALUES ('k', $1) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value", [
      value,
    ]);
  }
}

test('nothing is found where all is well', async () => {
  await write('a', 'b');
  await judge(set('a', 0), set('b', 2), get('b', 4));
  expect(evidence.counts).toMatchObject({ acknowledged: 2, lost: 0, staleReads: 0, failedCalls: 0, undecided: 0 });
  expect(evidence.stories).toEqual([]);
});

test('a row that lacks the last acknowledged write is a lost write, and is told of', async () => {
  await write('a');
  await judge(set('a', 0), set('b', 2));
  expect(evidence.counts).toMatchObject({ lost: 1, staleReads: 0 });
  expect(evidence.stories).toEqual(['lost: the row of behind/k is a, and should be b']);
});

test('a row that is not there is a lost write', async () => {
  await judge(set('a', 0));
  expect(evidence.stories).toEqual(['lost: the row of behind/k is not there, and should be a']);
});

test('a row that went back for a moment is found, although it is right in the end', async () => {
  await write('b', 'a', 'b');
  await judge(set('a', 0), set('b', 2));
  expect(evidence.counts).toMatchObject({ lost: 0, staleReads: 1 });
  expect(evidence.stories[0]).toBe('1 times an older row of behind/k: b, a, b');
});

test('a deleted row is no row, and a change after it that belongs to an older write is found', async () => {
  await write('b');
  await sql.query("DELETE FROM behind WHERE key = 'k'");
  await write('a');
  await sql.query("DELETE FROM behind WHERE key = 'k'");
  await judge(set('a', 0), set('b', 2), { ...common, kind: 'delete', result: true, beganMs: 4, endedMs: 5 });
  expect(evidence.counts).toMatchObject({ acknowledged: 3, lost: 0, staleReads: 1 });
});

test('a lost write that a client saw is told with the calls around it', async () => {
  const cache = 'memory' as const;
  await judge(set('a', 0, { cache }), { ...get(undefined, 4), cache });
  expect(evidence.counts).toMatchObject({ lost: 1, staleReads: 0 });
  expect(evidence.stories[0]).toContain('1 lost, 0 stale of memory/k');
});

test('failures are counted, unknown outcomes among them, but not those of a probe', async () => {
  await write('a');
  const failed = { error: 'LarderError: TIMEOUT: node n1 did not answer', version: undefined } as const;
  await judge(
    set('a', 0),
    set('b', 2, { outcome: 'failed', ...failed }),
    set('c', 4, { outcome: 'unknown', ...failed }),
  );
  expect(evidence.counts).toMatchObject({ acknowledged: 1, failedCalls: 2, unknownOutcomes: 1, lost: 0 });
  expect(evidence.errors).toEqual([['TIMEOUT: node # did not answer', 2]]);
  const record = set('d', 6, { outcome: 'unknown', ...failed });
  evidence.add('c', { kind: 'calls', calls: [{ record, endMs: 100 }], toldUntilMs: 0 }, false);
  expect(evidence.counts.failedCalls).toBe(2);
  expect(evidence.errors).toContainEqual(['(probe) TIMEOUT: node # did not answer', 1]);
});
