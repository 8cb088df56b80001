import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  type Cluster,
  type FreshDatabase,
  freePorts,
  freshDatabase,
  type NodeProcess,
  type Postgres,
  startCluster,
  startPostgres,
} from '@larder/test-kit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { GeneratedClient, type Message } from '../contract/generated-client.js';

// How a node stops: with what is in flight, with writes that are not in the database yet, and when it cannot.

let postgres: Postgres;
let database: FreshDatabase;
/** Holds locks on the table while a test wants the node's statements to wait. */
let holder: pg.Client;

beforeAll(async () => {
  postgres = await startPostgres();
  database = await freshDatabase(postgres.url);
  holder = new pg.Client({ connectionString: database.url });
  await holder.connect();
  await holder.query('CREATE TABLE visits (id integer PRIMARY KEY, count integer)');
});
afterAll(async () => {
  await holder.end();
  await database.drop();
  await postgres.stop();
});
beforeEach(() => holder.query('TRUNCATE visits'));
afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
});

const origin = { postgresTable: { table: 'visits', key: 'id' } };
const VISITS = 200;
const clusters: Cluster[] = [];

interface Started {
  readonly node: NodeProcess;
  readonly client: GeneratedClient;
}

async function startOne(more: object): Promise<Started> {
  const config = { database: { url: database.url }, ...more };
  const cluster = await startCluster({ nodes: 1, config });
  clusters.push(cluster);
  const node = cluster.nodes[0] as NodeProcess;
  return { node, client: new GeneratedClient(node.address) };
}

/** A write-behind cache that does not write by itself. */
const LAZY = { write: 'behind', origin, writeBehind: { maxDelay: '20m', flushSize: null, maxAge: '1h' } };

async function recordVisits(client: GeneratedClient): Promise<void> {
  const writes = Array.from({ length: VISITS }, (_, id) => {
    const value = Buffer.from(JSON.stringify({ id, count: id * 10 }));
    return client.call('Set', { cache: 'visits', key: Buffer.from(String(id)), value });
  });
  await Promise.all(writes);
}

function logged(node: NodeProcess, event: string): Message | undefined {
  return node.log.map((line) => JSON.parse(line) as Message).find((entry) => entry.event === event);
}

async function waitForLog(node: NodeProcess, event: string): Promise<void> {
  while (!logged(node, event)) await new Promise(setImmediate);
}

/** Resolves when so many statements of others wait for a lock on the table. */
async function waitForBlocked(count: number): Promise<void> {
  const blocked = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
  for (;;) {
    const { rows } = await holder.query<{ count: number }>(blocked);
    if ((rows[0]?.count ?? 0) >= count) return;
  }
}

test('write-behind: a node that is stopped has every acknowledged write in the database', async () => {
  const { node, client } = await startOne({ caches: { visits: LAZY } });
  await recordVisits(client);
  expect((await holder.query('SELECT * FROM visits')).rowCount).toBe(0);
  client.close();
  expect(await node.stop()).toEqual({ code: 0, signal: null });
  expect(logged(node, 'stopping')).toMatchObject({ signal: 'SIGTERM', pendingWrites: VISITS });
  expect(logged(node, 'stopped')).toMatchObject({ pendingWrites: 0, unfinished: 0 });
  const { rows } = await holder.query('SELECT count(*)::int AS rows, sum(count)::int AS total FROM visits');
  expect(rows).toEqual([{ rows: VISITS, total: (VISITS * (VISITS - 1) * 10) / 2 }]);
});

test('a read that waits for the database is answered before the node ends', async () => {
  await holder.query('INSERT INTO visits VALUES (1, 11)');
  const { node, client } = await startOne({ caches: { visits: { origin } } });
  await holder.query('BEGIN; LOCK TABLE visits IN ACCESS EXCLUSIVE MODE');
  const answer = client.call('Get', { cache: 'visits', key: Buffer.from('1') });
  await waitForBlocked(1);
  const stopped = node.stop();
  await waitForLog(node, 'stopping');
  const late = client.call('Get', { cache: 'visits', key: Buffer.from('2') });
  await expect(late).rejects.toThrow('UNAVAILABLE: node n1 is shutting down');
  await holder.query('COMMIT');
  expect(JSON.parse((await answer).value.toString())).toEqual({ id: 1, count: 11 });
  expect(await stopped).toEqual({ code: 0, signal: null });
  client.close();
});

test('a read that the database never answers is cut off after drainTimeout, and counted', async () => {
  const { node, client } = await startOne({ drainTimeout: 300, caches: { visits: { origin } } });
  await holder.query('BEGIN; LOCK TABLE visits IN ACCESS EXCLUSIVE MODE');
  const answer = client.call('Get', { cache: 'visits', key: Buffer.from('1') }).catch((error: Error) => error);
  await waitForBlocked(1);
  expect(await node.stop()).toEqual({ code: 1, signal: null });
  expect(logged(node, 'stopped')).toMatchObject({ pendingWrites: 0, unfinished: 1 });
  expect(await answer).toBeInstanceOf(Error);
  await holder.query('ROLLBACK');
  client.close();
});

test('an operator’s flush brings pending writes to the database, and says how many its deadline left', async () => {
  const { client } = await startOne({ caches: { visits: LAZY } });
  await recordVisits(client);
  await holder.query('BEGIN; LOCK TABLE visits IN ACCESS EXCLUSIVE MODE');
  const late = await client.call('Flush', {}, 300).catch((error: Error) => error);
  if (late instanceof Error) expect(late.message).toContain('DEADLINE_EXCEEDED');
  else expect(late).toEqual({ pendingWrites: VISITS });
  await holder.query('ROLLBACK');
  expect(await client.call('Flush', {}, 10_000)).toEqual({ pendingWrites: 0 });
  expect((await holder.query('SELECT * FROM visits')).rowCount).toBe(VISITS);
  client.close();
});

test('a database that is gone: the node gives up after its drainTimeout and says what is lost', async () => {
  const { node, client } = await startOne({ drainTimeout: 400, caches: { visits: LAZY } });
  await recordVisits(client);
  client.close();
  await holder.query('BEGIN; LOCK TABLE visits IN ACCESS EXCLUSIVE MODE');
  expect(await node.stop()).toEqual({ code: 1, signal: null });
  expect(logged(node, 'stopped')).toMatchObject({ pendingWrites: VISITS, unfinished: 0 });
  await holder.query('ROLLBACK');
});

test('a second signal ends the node at once and says what is lost', async () => {
  const { node, client } = await startOne({ drainTimeout: '1m', caches: { visits: LAZY } });
  await recordVisits(client);
  client.close();
  await holder.query('BEGIN; LOCK TABLE visits IN ACCESS EXCLUSIVE MODE');
  node.kill('SIGINT');
  await waitForLog(node, 'stopping');
  node.kill('SIGINT');
  expect(await node.exited).toEqual({ code: 1, signal: null });
  expect(logged(node, 'forced')).toMatchObject({ signal: 'SIGINT', pendingWrites: VISITS });
  await holder.query('ROLLBACK');
});

test('a client that holds its streams open does not hold the node up', async () => {
  const { node, client } = await startOne({ caches: { visits: { origin } } });
  const session = client.open('Session');
  await session.ask({ hello: { protocol: 1 } });
  const bulk = client.open('Bulk');
  await bulk.ask({ transfer: 1 });
  expect(await node.stop()).toEqual({ code: 0, signal: null });
  await expect(session.next()).rejects.toThrow();
  client.close();
});

test('a node whose log nobody reads any more goes on, and stops in order', async () => {
  const { node, client } = await startOne({ caches: { visits: LAZY } });
  const main = fileURLToPath(new URL('../../packages/node/dist/main.js', import.meta.url));
  const address = `127.0.0.1:${(await freePorts(1))[0]}`;
  const flags = ['--config', node.options.configPath, '--id', 'n1', '--listen', address];
  const child = spawn(process.execPath, [main, ...flags], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const other = new GeneratedClient(address);
  await recordVisits(other);
  other.close();
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect((await holder.query('SELECT * FROM visits')).rowCount).toBe(VISITS);
  client.close();
});

test('the port is free again as soon as the node has ended', async () => {
  const { node, client } = await startOne({ caches: { plain: {} } });
  const key = Buffer.from('k');
  for (let round = 0; round < 3; round++) {
    // Connections that its clients keep open are no hindrance.
    while (!(await client.call('Get', { cache: 'plain', key }).catch(() => undefined))) {}
    await node.restart();
  }
  client.close();
});
