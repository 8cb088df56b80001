/** The config of running nodes is edited and SIGHUP sent, while clients write: nothing is lost, doubled or turned around. */
import { writeFileSync } from 'node:fs';
import { type Cache, connect, type Larder } from '@larder/client';
import { type Cluster, type Postgres, startCluster, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Each change of a row leaves a line. */
const TABLES = `
  CREATE TABLE scores (player text PRIMARY KEY, points integer NOT NULL);
  CREATE TABLE changes (number bigint GENERATED ALWAYS AS IDENTITY, player text, points integer);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO changes (player, points) VALUES (NEW.player, NEW.points); RETURN NULL; END $$;
  CREATE TRIGGER note AFTER INSERT OR UPDATE ON scores FOR EACH ROW EXECUTE FUNCTION note()`;

interface Score {
  readonly points: number;
}

let postgres: Postgres;
let sql: pg.Client;
let cluster: Cluster;
let larder: Larder;

function config(policy: object, memory = '32MiB'): Record<string, unknown> {
  const origin = { postgresTable: { table: 'scores', key: 'player' } };
  return { memory: '64MiB', database: { url: postgres.url }, caches: { scores: { origin, memory, ...policy } } };
}

beforeAll(async () => {
  postgres = await startPostgres();
  sql = new pg.Client({ connectionString: postgres.url });
  await sql.connect();
  await sql.query(TABLES);
  cluster = await startCluster({ nodes: 2, config: config({ write: 'through' }) });
  larder = await connect({ endpoints: cluster.endpoints, timeout: '20s' });
});

afterAll(async () => {
  await larder.close();
  await cluster.stop();
  await sql.end();
  await postgres.stop();
});

/** Edits the file, as an operator does, and waits until every node has said what it makes of it. */
async function edit(content: Record<string, unknown>, event: string): Promise<Record<string, unknown>[]> {
  const lines = (): Record<string, unknown>[][] =>
    cluster.nodes.map(({ log }) => log.map((line) => JSON.parse(line)).filter((line) => line.event === event));
  const before = lines().map(({ length }) => length);
  writeFileSync(cluster.configPath, JSON.stringify(content));
  for (const { pid } of cluster.nodes) process.kill(pid, 'SIGHUP');
  while (lines().some(({ length }, index) => length === before[index]))
    await new Promise((resolve) => setTimeout(resolve, 10));
  return lines().map((told) => told.at(-1)!);
}

/** Writes 1, 2, 3, ... to a key until it is told to stop; resolves with the last. */
async function count(cache: Cache<Score>, player: string, isOver: () => boolean): Promise<number> {
  for (let points = 1; ; points++) {
    await cache.set(player, { points });
    if (isOver()) return points;
  }
}

/** Writes ever new keys, each once; resolves with how many. */
async function add(cache: Cache<Score>, name: string, isOver: () => boolean): Promise<number> {
  for (let number = 1; ; number++) {
    await cache.set(`${name}-${number}`, { points: 1 });
    if (isOver()) return number;
  }
}

test('every strategy follows every other under load', async () => {
  const scores = larder.cache<Score>('scores');
  let isOver = false;
  const players = Array.from({ length: 8 }, (_, index) => `player${index}`);
  const counting = players.map((player) => count(scores, player, () => isOver));
  const adding = players.map((player) => add(scores, player, () => isOver));
  const behind = { write: 'behind', writeBehind: { maxDelay: '200ms' } };
  for (const policy of [
    behind,
    { write: 'around' },
    behind,
    { write: 'through' },
    { write: 'around' },
    { write: 'through' },
    behind,
  ]) {
    const told = await edit(config(policy), 'reconfigured');
    expect(told.map(({ caches }) => caches)).toEqual([['scores'], ['scores']]);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  isOver = true;
  const last = await Promise.all(counting);
  const added = await Promise.all(adding);
  await edit(config({ write: 'through' }), 'reconfigured');
  // Waits for what was written behind before.
  for (const player of players) await scores.set(player, { points: 1_000_000 });
  for (const [index, player] of players.entries()) {
    const { rows } = await sql.query<{ points: number }>(
      'SELECT points FROM changes WHERE player = $1 ORDER BY number',
      [player],
    );
    const points = rows.map((row) => row.points);
    expect(points).toEqual([...new Set(points)].sort((a, b) => a - b));
    expect(points.at(-2)).toBe(last[index]);
  }
  const { rows } = await sql.query<{ count: string; players: string }>(
    "SELECT count(*) AS count, count(DISTINCT player) AS players FROM changes WHERE player LIKE '%-%'",
  );
  const all = added.reduce((sum, number) => sum + number, 0);
  expect(rows[0]).toEqual({ count: String(all), players: String(all) });
}, 120_000);

test('what only a restart can change is refused as a whole, and the log names it', async () => {
  const told = await edit(config({ write: 'behind' }, '16MiB'), 'config-refused');
  for (const { reason } of told)
    expect(reason).toContain('caches.scores.memory: changed; allowed: as it was when the node started');
  await larder.cache<Score>('scores').set('unchanged', { points: 7 });
  const { rows } = await sql.query("SELECT points FROM scores WHERE player = 'unchanged'");
  expect(rows).toEqual([{ points: 7 }]);
});

test('a file with mistakes changes nothing either', async () => {
  const [told] = await edit(config({ write: 'sideways' }), 'config-refused');
  expect(told?.reason).toContain('caches.scores.write');
  expect(cluster.nodes.every(({ isRunning }) => isRunning)).toBe(true);
});
