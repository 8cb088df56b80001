import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type FreshDatabase, freshDatabase, type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../examples/cities/dist/main.js', import.meta.url));

let postgres: Postgres;
let database: FreshDatabase;

beforeAll(async () => {
  postgres = await startPostgres();
  database = await freshDatabase(postgres.url);
});

afterAll(() => postgres.stop());

async function demonstrate(args: readonly string[], databaseUrl: string) {
  const env = { ...process.env, DATABASE_URL: databaseUrl };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { stdout, stderr, code: Number(code) };
}

async function query(sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query(sql).finally(() => client.end());
  return rows;
}

const FIGURES = {
  ops: expect.any(Number),
  opsPerSecond: expect.any(Number),
  hitRatio: expect.any(Number),
  p50Ms: expect.any(Number),
  p95Ms: expect.any(Number),
  p99Ms: expect.any(Number),
  dbStatements: expect.any(Number),
  dbStatementsAvoided: expect.any(Number),
  misses: expect.objectContaining({ cold: expect.any(Number), 'load failed': 0 }),
  loads: expect.any(Number),
  loadP99Ms: expect.any(Number),
  keysPerLoad: expect.any(Number),
  coalescedWaiters: expect.any(Number),
  writeP99Ms: expect.any(Number),
  rowsPerWrite: expect.any(Number),
  refreshes: expect.any(Number),
  staleServed: 0,
  pendingWrites: 0,
  deadLetters: 0,
};

test('the demonstration runs against a given database, ends by itself and prints its results as JSON', async () => {
  await query('CREATE TABLE public.cities AS SELECT 1 AS mine');
  const first = await demonstrate(['--seconds', '2', '--exit', '--json'], database.url);
  expect(first.stderr).toContain('135,233 cities loaded into larder_demo.cities');
  expect(first.code, first.stderr.slice(-2_000)).toBe(0);
  const results = JSON.parse(first.stdout) as { caches: Record<string, { ops: number; dbStatements: number }> };
  expect(results).toEqual({
    nodes: 3,
    rows: 135_233,
    caches: { cities: FIGURES, visits: FIGURES, audit: FIGURES, sessions: FIGURES },
    errors: 0,
  });
  for (const cache of Object.values(results.caches)) {
    expect(cache.ops).toBeGreaterThan(0);
    expect(cache.dbStatements).toBeGreaterThan(0);
    expect(cache.dbStatements).toBeLessThan(cache.ops);
  }
  expect(await query('SELECT mine FROM public.cities')).toEqual([{ mine: 1 }]);
  const [counted] = (await query('SELECT count(*)::int AS rows FROM larder_demo.visits')) as { rows: number }[];
  expect(counted?.rows).toBeGreaterThan(0);

  const second = await demonstrate(['--seconds', '1', '--exit', '--json'], database.url);
  expect(second.stderr).toContain('135,233 cities are already in larder_demo.cities');
  expect(second.code, second.stderr.slice(-2_000)).toBe(0);
}, 120_000);

test('a database that cannot be reached is named without its password', async () => {
  const { stdout, stderr, code } = await demonstrate(['--exit', '--json'], 'postgres://me:secret@127.0.0.1:1/nothing');
  expect(stderr).toContain('DATABASE_URL is postgres://me:***@127.0.0.1:1/nothing, which cannot be reached: ');
  expect(stderr).not.toContain('secret');
  expect({ stdout, code }).toEqual({ stdout: '', code: 1 });
});

test('a wrong option is refused before anything is started', async () => {
  const { stderr, code } = await demonstrate(['--seconds', 'many'], database.url);
  expect(stderr).toContain("--seconds is 'many'; allowed are 1 to 3600");
  expect(code).toBe(2);
});
