/** What other programs write to the tables behind caches, on real nodes in front of a real PostgreSQL. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Cache, connect, type Larder } from '@larder/client';
import { type Cluster, type Postgres, startCluster, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../packages/node/dist/main.js', import.meta.url));
const ROWS = 100_000;
const TABLES = `
  CREATE TABLE products (id integer PRIMARY KEY, price integer NOT NULL);
  CREATE TABLE stock (shop text, id integer, pieces integer, PRIMARY KEY (shop, id));
  INSERT INTO products SELECT id, 0 FROM generate_series(1, ${ROWS}) id`;

interface Product {
  readonly price: number;
}

let postgres: Postgres;
let sql: pg.Client;
let cluster: Cluster;
let larder: Larder;
let products: Cache<Product>;
let folder: string;
let config: string;

const larderNode = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, ...args]);

beforeAll(async () => {
  postgres = await startPostgres();
  sql = new pg.Client({ connectionString: postgres.url });
  await sql.connect();
  await sql.query(TABLES);
  folder = mkdtempSync(join(tmpdir(), 'larder-external-'));
  config = join(folder, 'larder.yaml');
  const table = { table: 'products', key: 'id', watch: true };
  const stock = { postgresTable: { table: 'stock', key: ['shop', 'id'], watch: true } };
  const reads = { read: 'through', ttl: '1h', negativeTtl: '1h' };
  const caches = {
    products: { ...reads, origin: { postgresTable: table }, write: 'through' },
    behind: { ...reads, origin: { postgresTable: table }, write: 'behind' },
    stock: { ...reads, origin: stock, write: 'memory' },
  };
  writeFileSync(config, JSON.stringify({ memory: '256MiB', database: { url: postgres.url }, caches }));
});

afterAll(async () => {
  await larder?.close();
  await cluster?.stop();
  await sql.end();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Reads until it is so. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo()));
}

const price = async (id: number): Promise<number | undefined> => (await products.get(id))?.price;

test('a node does not start while the triggers are missing, and says how to install them', async () => {
  const ended = larderNode('--config', config, '--id', 'n1', '--listen', '127.0.0.1:1');
  await expect(ended).rejects.toMatchObject({
    code: 78,
    stderr: expect.stringContaining('larder-node postgres install-triggers --config FILE'),
  });
});

test('install-triggers --print prints what it would run, and install-triggers runs it, as often as it is asked', async () => {
  const { stdout: printed } = await larderNode('postgres', 'install-triggers', '--config', config, '--print');
  expect(printed.match(/CREATE TRIGGER/g)).toHaveLength(8);
  const made = (): Promise<unknown> =>
    sql.query(`SELECT to_regclass('larder_internal.change') IS NOT NULL AS made`).then((r) => r.rows);
  expect(await made()).toEqual([{ made: false }]);
  await sql.query(printed);
  for (let turn = 0; turn < 2; turn++) await larderNode('postgres', 'install-triggers', '--config', config);
  expect(await made()).toEqual([{ made: true }]);
  cluster = await startCluster({ config });
  larder = await connect({ endpoints: cluster.endpoints, timeout: '20s' });
  products = larder.cache<Product>('products');
});

test('an UPDATE, a DELETE and an INSERT by another program reach the cache', async () => {
  expect(await price(1)).toBe(0);
  await sql.query('UPDATE products SET price = 1 WHERE id = 1');
  await until(async () => (await price(1)) === 1);
  await sql.query('DELETE FROM products WHERE id = 1');
  await until(async () => (await price(1)) === undefined);
  await sql.query('INSERT INTO products VALUES (1, 2)');
  await until(async () => (await price(1)) === 2);
});

test('so do keys of several columns, a row that was known not to be there, and TRUNCATE', async () => {
  const stock = larder.cache<{ pieces: number }>('stock');
  const key = ['the "old" \\ shop', 7] as const;
  const pieces = async () => (await stock.get(key))?.pieces;
  expect(await pieces()).toBeUndefined();
  await sql.query('INSERT INTO stock VALUES ($1, $2, 3)', [...key]);
  await until(async () => (await pieces()) === 3);
  await sql.query('TRUNCATE stock');
  await until(async () => (await pieces()) === undefined);
});

test('what the nodes write themselves is not told to them', async () => {
  const lines = async () => (await sql.query('SELECT max(id) AS last FROM larder_internal.change')).rows;
  const before = await lines();
  const behind = larder.cache<Product>('behind');
  for (let id = 10; id < 30; id++) {
    await products.set(id, { price: 5 });
    await behind.set(id + 100, { price: 6 });
  }
  await until(async () => (await sql.query('SELECT FROM products WHERE price = 6')).rowCount === 20);
  expect(await lines()).toEqual(before);
});

test('a connection that is lost leaves no gap', async () => {
  for (let id = 200; id < 260; id++) await price(id);
  const listeners = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'larder' AND query ~ 'larder_internal.change|LISTEN|pg_current_snapshot'`;
  expect((await sql.query(listeners)).rowCount).toBeGreaterThanOrEqual(3);
  await sql.query('UPDATE products SET price = 7 WHERE id BETWEEN 200 AND 259');
  for (let id = 200; id < 260; id++) await until(async () => (await price(id)) === 7);
});

test('100,000 rows in one statement', async () => {
  for (let id = 1; id <= 5_000; id += 500)
    await products.getMany(Array.from({ length: 500 }, (_, index) => id + index));
  await sql.query('UPDATE products SET price = 8');
  await until(async () => (await price(5_000)) === 8);
  await until(async () => {
    const found = await products.getMany(Array.from({ length: 5_000 }, (_, index) => index + 1));
    return [...found.values()].every((product) => product?.price === 8);
  });
  const { rows } = await sql.query(
    'SELECT max(cardinality(keys)) AS most, count(*)::integer AS lines FROM larder_internal.change',
  );
  expect(rows[0].most).toBe(500);
  expect(rows[0].lines).toBeGreaterThanOrEqual(ROWS / 500);
});

test('partitions that change their owner at that moment', async () => {
  const ids = Array.from({ length: 600 }, (_, index) => index + 1);
  await products.getMany(ids);
  cluster.node('n3').kill();
  for (let round = 0; round < 30; round++) {
    await sql.query('UPDATE products SET price = 100 + $1 WHERE id % 30 = $1 AND id <= 600', [round]);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await until(async () => {
    const found = await products.getMany(ids);
    return ids.every((id) => found.get(String(id))?.price === 100 + (id % 30));
  });
});
