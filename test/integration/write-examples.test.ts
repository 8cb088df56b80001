/** The examples of the write strategies, with their own configuration and tables, on real nodes and a real PostgreSQL. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CacheStatistics, connect, type Larder } from '@larder/client';
import {
  type Cluster,
  type FreshDatabase,
  freshDatabase,
  type Postgres,
  startCluster,
  startPostgres,
} from '@larder/test-kit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { GameScores } from '../../examples/game-scores/src/game-scores.js';
import { LogArchive } from '../../examples/log-archive/src/log-archive.js';
import { Sessions } from '../../examples/sessions/src/sessions.js';

let postgres: Postgres;
let database: FreshDatabase;
let sql: pg.Client;
let cluster: Cluster;
let larder: Larder;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterEach(async () => {
  await larder.close();
  await cluster.stop();
  await sql.end();
  await database.drop();
});

afterAll(() => postgres.stop());

async function start(example: string, nodes: number): Promise<void> {
  const folder = new URL(`../../examples/${example}/`, import.meta.url);
  database = await freshDatabase(postgres.url);
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  await sql.query(readFileSync(new URL('tables.sql', folder), 'utf8'));
  const config = fileURLToPath(new URL('larder.yaml', folder));
  cluster = await startCluster({ nodes, config, env: { DATABASE_URL: database.url } });
  larder = await connect({ endpoints: cluster.endpoints, timeout: '20s' });
}

/** Summed over the nodes. */
async function count(counter: Exclude<keyof CacheStatistics, 'name'>): Promise<number> {
  const nodes = await larder.nodeStatistics();
  return nodes.flatMap(({ caches }) => caches).reduce((sum, statistics) => sum + Number(statistics[counter]), 0);
}

test('game scores: many changes are few rows, and the end of a match is in the table when it is told', async () => {
  await start('game-scores', 2);
  const scores = new GameScores(larder);
  const players = Array.from({ length: 20 }, (_, index) => `player${index}`);
  for (let points = 1; points <= 200; points++) {
    await Promise.all(players.map((player) => scores.changed(player, { points, level: 1 })));
  }
  expect(await scores.of('player7')).toEqual({ points: 200, level: 1 });
  await scores.finished('player7', { points: 1_000, level: 2 });
  const { rows } = await sql.query("SELECT points, level FROM scores WHERE player = 'player7'");
  expect(rows).toEqual([{ points: 1_000, level: 2 }]);
  while ((await count('pendingWrites')) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const all = await sql.query('SELECT count(*)::integer AS players, min(points) AS least FROM scores');
  expect(all.rows).toEqual([{ players: 20, least: 200 }]);
  expect(await count('coalescedWrites')).toBeGreaterThan(2_000);
});

test('sessions: in the table when signed in, gone from both when signed out, and there after a node has died', async () => {
  await start('sessions', 3);
  const sessions = new Sessions(larder, 3_600_000);
  const id = await sessions.signIn('ann', ['admin']);
  const row = await sql.query('SELECT user_name, roles FROM sessions WHERE id = $1', [id]);
  expect(row.rows).toEqual([{ user_name: 'ann', roles: ['admin'] }]);
  await cluster.node((await larder.cache('sessions').entry(id))!.owner).kill();
  expect(await sessions.find(id)).toMatchObject({ user_name: 'ann', roles: ['admin'] });
  expect([await sessions.signOut(id), await sessions.signOut(id)]).toEqual([true, false]);
  expect(await sessions.find(id)).toBeUndefined();
  expect((await sql.query('SELECT 1 FROM sessions')).rows).toEqual([]);
  const expired = await new Sessions(larder, -1).signIn('bob', []);
  expect(await sessions.find(expired)).toBeUndefined();
});

test('log archive: lines pass the memory by, and one that is read is kept', async () => {
  await start('log-archive', 1);
  const archive = new LogArchive(larder);
  const at = new Date('2026-11-23T12:00:00Z');
  const ids = await Promise.all(Array.from({ length: 500 }, (_, index) => archive.append(`line ${index}`, at)));
  expect((await sql.query('SELECT count(*)::integer AS lines FROM log')).rows).toEqual([{ lines: 500 }]);
  expect(await count('entries')).toBe(0);
  for (let reader = 0; reader < 3; reader++) expect(await archive.read(ids[7]!)).toMatchObject({ line: 'line 7' });
  expect([await count('entries'), await count('loads'), await count('hits')]).toEqual([1, 1, 2]);
});
