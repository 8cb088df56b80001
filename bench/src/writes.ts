import type { Cache } from '@larder/client';
import pg from 'pg';
import { cpuPerOperation } from './database/cpu-times.js';
import { type DatabaseSetup, machine, setUpDatabase } from './database/database-setup.js';
import { type CallersPlan, type CallersResult, rounded, runCallers, shuffledIds } from './database/run-callers.js';
import { takeTurns } from './database/take-turns.js';
import { changedThing, countChanged, fillThings, TABLE, type Thing } from './database/things-table.js';
import { decimal, flag, integer, parseOptions } from './options.js';

/**
 * The bench `writes`: rows replaced a second by many concurrent callers. Write-through and plain upserts are
 * acknowledged when the row is committed. Write-behind is acknowledged before: there each row is written once, so that
 * nothing coalesces, and the rate at which rows reach the table counts from the first write to the moment when the last
 * one is there. Afterwards the table is asked whether all that was acknowledged has arrived. They take turns, each with a
 * table that was filled anew, and the median round of each counts.
 *
 * Of few keys that are written again and again, as scores and counters are, write-through has to bring each write to the
 * table, one after the other for a key; write-behind makes one row of many. That is `hotThrough` and `hotBehind`.
 */
const POOL_SIZE = 10;
const WARM_UP_MS = 500;
const POLL_MS = 10;

const UPSERT = `
  INSERT INTO ${TABLE} (id, name, country, population, latitude, longitude, tags) VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (id) DO UPDATE SET name = excluded.name, country = excluded.country, population = excluded.population,
    latitude = excluded.latitude, longitude = excluded.longitude, tags = excluded.tags`;

const CACHES = {
  through: { write: 'through', memory: '192MiB' },
  behind: {
    write: 'behind',
    memory: '256MiB',
    // A short delay, or the last rows would wait a second for company and be counted as slow.
    writeBehind: { maxDelay: '50ms', maxPending: 1_000_000, maxPendingBytes: '200MiB' },
  },
};

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    seconds: decimal({ otherwise: 2, min: 0.1, max: 600 }),
    repeat: integer({ otherwise: 3, min: 1, max: 100 }),
    concurrency: integer({ otherwise: 512, min: 1, max: 16_384 }),
    rows: integer({ otherwise: 100_000, min: 100_000, max: 1_000_000 }),
    nodes: integer({ otherwise: 1, min: 1, max: 16 }),
    hot: integer({ otherwise: 16, min: 1, max: 100_000 }),
    durable: flag(true),
    fence: flag(true),
  });
  const { nodes, rows, hot, durable } = options;
  const plan: CallersPlan = { callers: options.concurrency, warmUpMs: WARM_UP_MS, windowMs: options.seconds * 1000 };
  const database = { fencing: options.fence ? 'table' : 'none' };
  const setup = await setUpDatabase({ nodes, rows, durable, database, caches: CACHES });
  try {
    const ids = shuffledIds(rows);
    const hotIds = ids.subarray(0, hot);
    const measured = await takeTurns(options.repeat, {
      plainPg: { rate: (measured) => measured.upsertsPerSecond, measure: () => measurePlain(setup, plan, ids) },
      writeThrough: { rate: ackedPerSecond, measure: () => measureThrough(setup, plan, ids) },
      writeBehind: {
        rate: (measured) => measured.drainedRowsPerSecond,
        measure: () => measureBehind(setup, plan, ids),
      },
      hotThrough: { rate: ackedPerSecond, measure: () => measureHot(setup, plan, rows, hotIds, 'through') },
      hotBehind: { rate: ackedPerSecond, measure: () => measureHot(setup, plan, rows, hotIds, 'behind') },
    });
    const { plainPg, writeThrough, writeBehind, hotThrough, hotBehind } = measured;
    return {
      bench: 'writes',
      writeThrough,
      writeBehind,
      plainPg,
      hotThrough,
      hotBehind,
      ratioHotBehindToThrough: rounded(hotBehind.ackedPerSecond / hotThrough.ackedPerSecond),
      ratioBehindToThrough: rounded(writeBehind.ackedPerSecond / writeThrough.ackedPerSecond),
      ratioDrainToPlainPg: rounded(writeBehind.drainedRowsPerSecond / plainPg.upsertsPerSecond),
      ratioThroughToPlainPg: rounded(writeThrough.ackedPerSecond / plainPg.upsertsPerSecond),
      setting: { ...options, poolSize: POOL_SIZE, ...machine() },
    };
  } finally {
    await setup.stop();
  }
}

async function measurePlain(setup: DatabaseSetup, plan: CallersPlan, ids: Uint32Array) {
  await fillThings(setup.url, ids.length);
  const pool = new pg.Pool({ connectionString: setup.url, max: POOL_SIZE });
  try {
    const cpuBefore = setup.cpuTimes();
    const result = await runCallers(plan, async (index) => {
      const id = idAt(ids, index);
      await pool.query(UPSERT, [id, ...Object.values(changedThing(id, 'plain'))]);
    });
    const cpuUs = cpuPerOperation(cpuBefore, setup.cpuTimes(), result.calls);
    await verify(setup, 'plain', result.calls, ids.length);
    report('plain pg', result, 'upserts/s', cpuUs);
    return { upsertsPerSecond: result.perSecond, p50Ms: result.p50Ms, p99Ms: result.p99Ms, cpuUs };
  } finally {
    await pool.end();
  }
}

async function measureThrough(setup: DatabaseSetup, plan: CallersPlan, ids: Uint32Array) {
  await fillThings(setup.url, ids.length);
  const before = await setup.statistics('through');
  const cpuBefore = setup.cpuTimes();
  const result = await runCallers(plan, setter(setup.larder.cache<Thing>('through'), ids, 'through'));
  const cpuUs = cpuPerOperation(cpuBefore, setup.cpuTimes(), result.calls);
  await verify(setup, 'through', result.calls, ids.length);
  const after = await setup.statistics('through');
  report('write-through', result, 'acknowledged/s', cpuUs);
  const rowsPerStatement = rounded(
    (after.rowsWritten - before.rowsWritten) / (after.writeStatements - before.writeStatements),
  );
  return { ackedPerSecond: result.perSecond, p50Ms: result.p50Ms, p99Ms: result.p99Ms, rowsPerStatement, cpuUs };
}

async function measureBehind(setup: DatabaseSetup, plan: CallersPlan, ids: Uint32Array) {
  await fillThings(setup.url, ids.length);
  const before = await setup.statistics('behind');
  const cpuBefore = setup.cpuTimes();
  const startMs = performance.now();
  const once = { ...plan, warmUpMs: 0, callsMax: ids.length };
  const result = await runCallers(once, setter(setup.larder.cache<Thing>('behind'), ids, 'behind'));
  await drained(setup);
  const drainedRowsPerSecond = Math.round((result.calls / (performance.now() - startMs)) * 1000);
  const cpuUs = cpuPerOperation(cpuBefore, setup.cpuTimes(), result.calls);
  await verify(setup, 'behind', result.calls, ids.length);
  const after = await setup.statistics('behind');
  const rowsPerStatement = (after.rowsWritten - before.rowsWritten) / (after.writeStatements - before.writeStatements);
  report('write-behind', result, 'acknowledged/s', cpuUs);
  process.stderr.write(`writes: write-behind ${drainedRowsPerSecond} rows/s reached the table\n`);
  return {
    ackedPerSecond: result.perSecond,
    drainedRowsPerSecond,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    rowsPerStatement: rounded(rowsPerStatement),
    cpuUs,
  };
}

/** All callers write the same few keys. */
async function measureHot(
  setup: DatabaseSetup,
  plan: CallersPlan,
  rows: number,
  hotIds: Uint32Array,
  cache: 'through' | 'behind',
) {
  await fillThings(setup.url, rows);
  const round = `hot-${cache}`;
  const before = await setup.statistics(cache);
  const result = await runCallers(plan, setter(setup.larder.cache<Thing>(cache), hotIds, round));
  await drained(setup);
  await verify(setup, round, result.calls, hotIds.length);
  const after = await setup.statistics(cache);
  const statementsPerThousand = rounded(((after.writeStatements - before.writeStatements) / result.calls) * 1_000);
  report(`${cache}, ${hotIds.length} keys`, result, 'acknowledged/s', null);
  return { ackedPerSecond: result.perSecond, p50Ms: result.p50Ms, p99Ms: result.p99Ms, statementsPerThousand };
}

async function drained(setup: DatabaseSetup): Promise<void> {
  while ((await setup.statistics('behind')).pendingWrites > 0) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function ackedPerSecond(measured: { readonly ackedPerSecond: number }): number {
  return measured.ackedPerSecond;
}

function setter(cache: Cache<Thing>, ids: Uint32Array, round: string): (index: number) => Promise<void> {
  return async (index) => {
    const id = idAt(ids, index);
    await cache.set(id, changedThing(id, round));
  };
}

/** Every row whose write was acknowledged is in the table. */
async function verify(setup: DatabaseSetup, round: string, calls: number, rows: number): Promise<void> {
  const expected = Math.min(calls, rows);
  const changed = await countChanged(setup.url, round);
  if (changed !== expected)
    throw new Error(`${round}: ${expected} rows were acknowledged, ${changed} are in the table`);
}

function idAt(ids: Uint32Array, index: number): number {
  return ids[index % ids.length] as number;
}

function report(who: string, { perSecond, p50Ms, p99Ms }: CallersResult, unit: string, cpuUs: object | null): void {
  process.stderr.write(
    `writes: ${who} ${perSecond} ${unit}, p50 ${p50Ms} ms, p99 ${p99Ms} ms, CPU us a row ${JSON.stringify(cpuUs)}\n`,
  );
}
