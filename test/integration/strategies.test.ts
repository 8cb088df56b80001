/** The caches of docs/strategies.md, as they stand there, on real nodes in front of a real PostgreSQL. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cache, type CacheStatistics, connect, type Larder, LarderError } from '@larder/client';
import { type Cluster, type Postgres, startCluster, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GeneratedClient } from '../contract/generated-client.js';

const TABLES = `
  CREATE TABLE products (id integer PRIMARY KEY, name text NOT NULL, price numeric CHECK (price > 0));
  CREATE TABLE scores (player text PRIMARY KEY, points bigint NOT NULL CHECK (points >= 0));
  CREATE TABLE events (id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), what jsonb);
  INSERT INTO products SELECT id, 'Product ' || id, id FROM generate_series(1, 2000) id`;

interface Product {
  readonly name: string;
  readonly price: string;
}

let postgres: Postgres;
let sql: pg.Client;
let cluster: Cluster;
let larder: Larder;
let folder: string;

beforeAll(async () => {
  postgres = await startPostgres();
  sql = new pg.Client({ connectionString: postgres.url });
  await sql.connect();
  await sql.query(TABLES);
  folder = mkdtempSync(join(tmpdir(), 'larder-strategies-'));
  const config = join(folder, 'larder.yaml');
  const [, yaml] =
    /```yaml\n(.*?)```/s.exec(readFileSync(new URL('../../docs/strategies.md', import.meta.url), 'utf8')) ?? [];
  writeFileSync(config, yaml as string);
  cluster = await startCluster({ config, env: { DATABASE_URL: postgres.url } });
  larder = await connect({ endpoints: cluster.endpoints, timeout: '20s' });
});

afterAll(async () => {
  await larder.close();
  await cluster.stop();
  await sql.end();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A counter of a cache, summed over the nodes. */
async function count(cache: string, counter: Exclude<keyof CacheStatistics, 'name'>): Promise<number> {
  const nodes = await larder.nodeStatistics();
  const all = nodes.flatMap((node) => node.caches.filter(({ name }) => name === cache));
  return all.reduce((sum, statistics) => sum + Number(statistics[counter]), 0);
}

async function rows(text: string, ...values: unknown[]): Promise<unknown[]> {
  return (await sql.query(text, values)).rows;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof LarderError ? `${error.code} ${error.outcome}` : String(error);
}

describe('read-through', () => {
  test('10,000 concurrent gets of one cold key over 20 clients: one query', async () => {
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => connect({ endpoints: cluster.endpoints, timeout: '20s' })),
    );
    try {
      const before = await count('products', 'readStatements');
      const gets = clients.flatMap((client) => {
        const products = client.cache<Product>('products');
        return Array.from({ length: 500 }, () => products.get(1234));
      });
      for (const product of await Promise.all(gets))
        expect(product).toEqual({ id: 1234, name: 'Product 1234', price: '1234' });
      expect((await count('products', 'readStatements')) - before).toBe(1);
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  });

  test('a thousand cold keys take few statements', async () => {
    const products = larder.cache<Product>('products');
    const [loads, statements] = [await count('products', 'loads'), await count('products', 'readStatements')];
    const found = await products.getMany(Array.from({ length: 1000 }, (_, id) => id + 1));
    expect(found.size).toBe(1000);
    expect((await count('products', 'loads')) - loads).toBe(1000);
    expect((await count('products', 'readStatements')) - statements).toBeLessThan(100);
  });

  test('a row that does not exist, or cannot, is undefined', async () => {
    const products = larder.cache<Product>('products');
    expect(await products.get(99_999)).toBeUndefined();
    expect(await products.get('no number')).toBeUndefined();
  });
});

describe('write-through', () => {
  let products: Cache<Product>;
  beforeAll(() => {
    products = larder.cache<Product>('products');
  });

  test('a row is in the table when its write is acknowledged, and is gone when its delete is', async () => {
    await products.set(5000, { name: 'New', price: '9.90' });
    expect(await rows('SELECT * FROM products WHERE id = 5000')).toEqual([{ id: 5000, name: 'New', price: '9.90' }]);
    expect(await products.get(5000)).toEqual({ name: 'New', price: '9.90' });
    expect(await products.delete(5000)).toBe(true);
    expect(await rows('SELECT * FROM products WHERE id = 5000')).toEqual([]);
    expect(await products.get(5000)).toBeUndefined();
  });

  test('what the database refuses is told, and changes nothing', async () => {
    await products.get(7);
    expect(await codeOf(products.set(7, { name: 'Seven', price: '-1' }))).toBe('ORIGIN not-applied');
    expect(await codeOf(products.set(7, { nmae: 'Seven' } as unknown as Product))).toBe('BAD_ARGUMENT not-applied');
    expect(await codeOf(products.set('007', { name: 'Seven', price: '1' }))).toBe('BAD_ARGUMENT not-applied');
    expect(await products.get(7)).toEqual({ id: 7, name: 'Product 7', price: '7' });
  });

  test('what is refused is quoted in part, and never in the way of the answer', async () => {
    const price = 'x'.repeat(60_000);
    const refusal = await products.set(8, { name: 'Eight', price }).catch((error: LarderError) => error);
    expect(refusal).toMatchObject({ code: 'ORIGIN', outcome: 'not-applied' });
    expect((refusal as LarderError).message.length).toBeLessThan(2_000);

    const client = new GeneratedClient(cluster.endpoints[0] as string);
    const refused = (key: string, value: object) =>
      client.call('Set', { cache: 'products', key: Buffer.from(key), value: Buffer.from(JSON.stringify(value)) });
    // Cut after 60 characters, in the middle of one that is two.
    await expect(refused(`${'n'.repeat(59)}\u{1f600}`, { name: 'x' })).rejects.toThrow('INVALID_ARGUMENT');
    await expect(refused('8', { name: 'Eight', price: 'x'.repeat(200_000) })).rejects.toThrow('ABORTED: ORIGIN');
    client.close();
  });
});

describe('write-behind', () => {
  test('many writes to few keys are few rows, and the last of each is in the table soon', async () => {
    const scores = larder.cache<{ points: string }>('scores');
    const before = await count('scores', 'rowsWritten');
    for (let points = 0; points <= 100; points++) {
      await Promise.all(['ann', 'bob', 'eve'].map((player) => scores.set(player, { points: `${points}` })));
    }
    expect(await scores.get('ann')).toEqual({ points: '100' });
    await expect
      .poll(() => rows('SELECT * FROM scores ORDER BY player'), { timeout: 10_000 })
      .toEqual([
        { player: 'ann', points: '100' },
        { player: 'bob', points: '100' },
        { player: 'eve', points: '100' },
      ]);
    expect((await count('scores', 'rowsWritten')) - before).toBeLessThan(100);
  });

  test('a row that the database refuses stays pending and does not hold up the others', async () => {
    const scores = larder.cache<{ points: string }>('scores');
    const players = Array.from({ length: 200 }, (_, player) => `player ${player}`);
    await Promise.all(players.map((player, index) => scores.set(player, { points: index === 77 ? '-1' : '1' })));
    await expect
      .poll(() => rows(`SELECT count(*) FROM scores WHERE player LIKE 'player %'`), { timeout: 10_000 })
      .toEqual([{ count: '199' }]);
    expect(await count('scores', 'pendingWrites')).toBe(1);
    await expect.poll(() => count('scores', 'refusedRows')).toBe(1);
    const log = cluster.nodes.flatMap((node) => node.log.filter((line) => line.includes('"event":"origin-failed"')));
    expect(log.some((line) => line.includes('"cache":"scores"') && line.includes('scores_points_check'))).toBe(true);
    await scores.set('player 77', { points: '1' });
    await expect.poll(() => count('scores', 'pendingWrites'), { timeout: 10_000 }).toBe(0);
  });

  test('a node that is stopped flushes what is pending', async () => {
    const scores = larder.cache<{ points: string }>('scores');
    const players = Array.from({ length: 300 }, (_, player) => `late ${player}`);
    await Promise.all(players.map((player) => scores.set(player, { points: '1' })));
    const node = cluster.node('n1');
    expect(await node.stop()).toEqual({ code: 0, signal: null });
    await node.restart();
    await expect
      .poll(() => rows(`SELECT count(*) FROM scores WHERE player LIKE 'late %'`), { timeout: 10_000 })
      .toEqual([{ count: '300' }]);
  });
});

describe('write-around', () => {
  test('a row goes to the table and is loaded when it is asked for', async () => {
    const events = larder.cache<{ at?: string; what: unknown }>('events');
    const id = '123e4567-e89b-12d3-a456-426614174000';
    expect(await events.get(id)).toBeUndefined();
    expect(await events.set(id, { what: { kind: 'login' } })).toMatchObject({ copies: 0 });
    const loads = await count('events', 'loads');
    expect(await events.get(id)).toMatchObject({ id, what: { kind: 'login' }, at: expect.stringMatching(/\+00:00$/) });
    expect(await count('events', 'loads')).toBe(loads + 1);
  });
});

describe('while the database is down', () => {
  test('hits are served, misses and write-through fail, write-behind goes on and arrives afterwards', async () => {
    const [products, scores] = [larder.cache<Product>('products'), larder.cache<{ points: string }>('scores')];
    await products.get(3);
    sql.on('error', () => {});
    await postgres.kill();
    expect(await products.get(3)).toMatchObject({ name: 'Product 3' });
    expect(await codeOf(products.get(1999))).toBe('ORIGIN_UNAVAILABLE undefined');
    expect(await codeOf(products.set(3, { name: 'Three', price: '3' }))).toBe('ORIGIN_UNAVAILABLE not-applied');
    await scores.set('ann', { points: '500' });
    expect(await scores.get('ann')).toEqual({ points: '500' });
    await postgres.restart();
    sql = new pg.Client({ connectionString: postgres.url });
    await sql.connect();
    expect(await products.get(1999)).toMatchObject({ name: 'Product 1999' });
    await expect
      .poll(() => rows(`SELECT points FROM scores WHERE player = 'ann'`), { timeout: 20_000 })
      .toEqual([{ points: '500' }]);
  });
});
