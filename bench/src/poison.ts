import type { DeadLetter } from '@larder/loader';
import { type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { machine } from './database/database-setup.js';
import { LoaderAlone } from './database/loader-alone.js';
import { rounded } from './database/run-callers.js';
import { takeTurns } from './database/take-turns.js';
import { decimal, integer, parseOptions } from './options.js';

/**
 * The bench `poison`: a steady stream of rows written behind, of which some are refused by a constraint, beside the same
 * stream without any. What counts is how long the other rows take from their write to their row, by the database's clock
 * on this same machine, and that each refused row is a dead letter with its error and nothing else is.
 *
 * The loader runs in this process, without nodes and client. They take turns, and the median round of each counts.
 */
const TABLE = 'public.readings';
const CREATE = `
  DROP TABLE IF EXISTS ${TABLE};
  CREATE TABLE ${TABLE} (
    id integer PRIMARY KEY, sent_ms double precision NOT NULL, amount integer NOT NULL CHECK (amount >= 0),
    flushed_at timestamptz NOT NULL DEFAULT clock_timestamp()
  )`;
const TIMES = `
  SELECT count(*)::integer AS rows, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS p50,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) AS p99, max(ms) AS max
  FROM (SELECT extract(epoch FROM flushed_at) * 1000 - sent_ms AS ms FROM ${TABLE}) AS times`;

const POLICY = {
  write: 'behind',
  origin: { postgresTable: { table: TABLE, key: 'id', columns: ['sent_ms', 'amount'] } },
};
const TICK_MS = 10;
const DRAIN_MS_MAX = 60_000;

interface Stream {
  readonly seconds: number;
  readonly rate: number;
}

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    seconds: decimal({ otherwise: 5, min: 1, max: 600 }),
    repeat: integer({ otherwise: 3, min: 1, max: 100 }),
    rate: integer({ otherwise: 2_000, min: 100, max: 100_000 }),
    percent: decimal({ otherwise: 1, min: 0.01, max: 50 }),
  });
  const postgres = await startPostgres({ durable: true });
  try {
    const every = Math.round(100 / options.percent);
    const { clean, poisoned } = await takeTurns(options.repeat, {
      clean: { rate: ({ p99Ms }) => -p99Ms, measure: () => measure(postgres, options, Number.POSITIVE_INFINITY) },
      poisoned: { rate: ({ p99Ms }) => -p99Ms, measure: () => measure(postgres, options, every) },
    });
    const p99Ratio = rounded(poisoned.p99Ms / clean.p99Ms);
    return { bench: 'poison', clean, poisoned, p99Ratio, setting: { ...options, ...machine() } };
  } finally {
    await postgres.stop();
  }
}

/** Each row whose number is divisible by `every` is poison. */
async function measure(postgres: Postgres, stream: Stream, every: number) {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(CREATE);
  const loader = await LoaderAlone.open(postgres.url, POLICY);
  try {
    const sent = await send(loader, stream, every);
    const poison = every === Number.POSITIVE_INFINITY ? 0 : Math.floor(sent / every);
    await drained(loader, poison);
    const { rows } = await client.query<{ rows: number; p50: number; p99: number; max: number }>(TIMES);
    const times = rows[0]!;
    if (times.rows !== sent - poison)
      throw new Error(`${sent - poison} rows were acknowledged, ${times.rows} are there`);
    const deadLetters = loader.deadLetters(sent);
    check(deadLetters, poison, every);
    const { writeStatements } = loader.statistics();
    const [p50Ms, p99Ms, maxMs] = [rounded(times.p50), rounded(times.p99), rounded(times.max)];
    process.stderr.write(`poison: ${poison} of ${sent} rows refused; the others' flush p99 is ${p99Ms} ms\n`);
    return { p50Ms, p99Ms, maxMs, rows: times.rows, deadLetters: deadLetters.length, writeStatements };
  } finally {
    await loader.close();
    await client.end();
  }
}

/** At a steady rate, whatever becomes of them. Resolves with how many. */
async function send(loader: LoaderAlone, { seconds, rate }: Stream, every: number): Promise<number> {
  const count = Math.round(seconds * rate);
  const beganMs = performance.now();
  const calls: Promise<void>[] = [];
  while (calls.length < count) {
    const due = Math.min(count, Math.floor(((performance.now() - beganMs) / 1000) * rate));
    while (calls.length < due) {
      const id = calls.length + 1;
      const sentMs = performance.timeOrigin + performance.now();
      calls.push(loader.set(id, { sent_ms: sentMs, amount: id % every === 0 ? -1 : id }));
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(calls);
  return count;
}

/** Until nothing is pending but what is not tried again. */
async function drained(loader: LoaderAlone, poison: number): Promise<void> {
  const untilMs = performance.now() + DRAIN_MS_MAX;
  const isOver = (): boolean => {
    const { pendingWrites, givenUpRows } = loader.statistics();
    return pendingWrites === poison && givenUpRows === poison;
  };
  while (!isOver() && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}

function check(letters: readonly DeadLetter[], poison: number, every: number): void {
  const wrong = letters.find(
    ({ key, error }) => Number(key) % every !== 0 || !/readings_amount_check/.test(error.message),
  );
  if (wrong !== undefined) throw new Error(`dead letter ${wrong.key}: ${wrong.error.message}`);
  if (letters.length !== poison) throw new Error(`${poison} rows are poison, ${letters.length} are dead letters`);
}
