/** The origins of docs/origins.md, as they stand there, and the shapes of tables, on real nodes before a real PostgreSQL. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Larder, LarderError } from '@larder/client';
import { type Cluster, freePorts, type Postgres, startCluster, startNode, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const TABLES = `
  CREATE TABLE brands (id integer PRIMARY KEY, name text);
  CREATE TABLE products (id integer PRIMARY KEY, name text, brand integer, category text, price numeric(10, 2), sold bigint);
  CREATE TABLE reviews (product integer, stars integer);
  INSERT INTO brands VALUES (1, 'Oak & Sons');
  INSERT INTO products SELECT n, 'product ' || n, 1, 'garden', n, 100 - n FROM generate_series(1, 20) n;
  INSERT INTO reviews VALUES (7, 5), (7, 4);
  CREATE TABLE stock (shop text, sku integer, doc jsonb, version bigint, PRIMARY KEY (shop, sku));
  CREATE TABLE numbered (id bigserial PRIMARY KEY, n integer)`;

const STOCK = `{ table: stock, key: [shop, sku], value: doc, versionColumn: version }`;
const OTHER_CACHES = `
  stock:
    origin: { postgresTable: ${STOCK} }
  stock_behind:
    write: behind
    writeBehind: { maxDelay: 20ms }
    origin: { postgresTable: ${STOCK} }
  numbered:
    write: memory
    origin: { postgresTable: { table: numbered, key: id } }
`;

/** What the module of the documentation connects to. */
const SERVICE = `
  const orders = new Map();
  async function connect(url) {
    if (url !== 'orders://here') throw new Error('no service at ' + url);
    return {
      find: async (keys) => new Map(keys.filter((key) => orders.has(key)).map((key) => [key, orders.get(key)])),
      async replaceAll(given) {
        const wrong = given.find(({ order }) => order.total < 0);
        if (wrong) throw Object.assign(new Error('total is negative'), { code: 'ORIGIN', outcome: 'not-applied' });
        for (const { id, order } of given) orders.set(id, order);
      },
      deleteAll: async (keys) => new Set(keys.filter((key) => orders.delete(key))),
      end: async () => {},
    };
  }`;

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
  folder = mkdtempSync(join(tmpdir(), 'larder-origins-'));
  const guide = readFileSync(new URL('../../docs/origins.md', import.meta.url), 'utf8');
  const caches = blocks(guide, 'yaml').map((yaml) => yaml.replace(/^caches:\n/, ''));
  const config = join(folder, 'larder.yaml');
  writeFileSync(config, [`database: { url: "${postgres.url}" }`, 'caches:', ...caches, OTHER_CACHES].join('\n'));
  writeFileSync(join(folder, 'orders.mjs'), `${blocks(guide, 'js').join('\n')}\n${SERVICE}`);
  cluster = await startCluster({ nodes: 2, config, env: { ORDERS_URL: 'orders://here' } });
  larder = await connect({ endpoints: cluster.endpoints, timeout: '20s' });
});

afterAll(async () => {
  await larder.close();
  await cluster.stop();
  await sql.end();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map((block) => block[1] as string);
}

async function rejection(call: Promise<unknown>): Promise<LarderError> {
  const thrown: unknown = await call.catch((error: unknown) => error);
  if (thrown instanceof LarderError) return thrown;
  throw new Error(`expected a LarderError, got ${String(thrown)}`);
}

describe('queries', () => {
  test('a join by its key', async () => {
    const pages = larder.cache('product_pages');
    const page = { id: 7, name: 'product 7', price: '7.00', brand: 'Oak & Sons', reviews: '2' };
    expect(await pages.get(7)).toEqual(page);
    expect(await pages.get(99)).toBeUndefined();
    await sql.query("UPDATE products SET name = 'renamed' WHERE id = 7");
    expect(await pages.get(7)).toEqual(page);
    expect(await pages.delete(7)).toBe(true);
    expect(await pages.get(7)).toEqual({ ...page, name: 'renamed' });
  });

  test('a top list by category and length', async () => {
    const popular = larder.cache<{ id: number }[]>('popular');
    const lists = await popular.getMany([
      ['garden', 3],
      ['garden', 1],
      ['kitchen', 3],
    ]);
    expect([...lists.values()].map((list) => list.map(({ id }) => id))).toEqual([[1, 2, 3], [1], []]);
  });

  test('cannot be written through, but memory may be', async () => {
    const pages = larder.cache('product_pages');
    const { code, outcome, message } = await rejection(pages.set(8, { id: 8 }, { write: 'through' }));
    expect([code, outcome]).toEqual(['READ_ONLY', 'not-applied']);
    expect(message).toContain('which can only be read');
    expect((await rejection(pages.delete(8, { write: 'through' }))).code).toBe('READ_ONLY');
    await pages.set(8, { id: 8 });
    expect(await pages.get(8)).toEqual({ id: 8 });
  });
});

test('a module of one’s own: what is written behind is there, and refused rows are refused', async () => {
  const orders = larder.cache<{ total: number }>('orders');
  await orders.set('a', { total: 1 }, { write: 'through' });
  expect(await orders.get('a')).toEqual({ total: 1 });
  const { code, message } = await rejection(orders.set('b', { total: -1 }, { write: 'through' }));
  expect([code, message]).toEqual(['ORIGIN', expect.stringContaining('total is negative')]);
  expect(await orders.delete('a', { write: 'through' })).toBe(true);
  expect(await orders.get('a')).toBeUndefined();
});

describe('tables', () => {
  interface Stored {
    readonly doc: unknown;
    readonly version: string;
  }
  const stored = async (sku: number): Promise<Stored | undefined> =>
    (await sql.query<Stored>('SELECT doc, version FROM stock WHERE sku = $1', [sku])).rows[0];

  test('tuples, documents and versions: every write leaves a higher version, through and behind', async () => {
    const through = larder.cache('stock');
    await through.set(['north', 1], { count: 3 });
    const first = (await stored(1)) as Stored;
    expect(first.doc).toEqual({ count: 3 });
    await through.set(['north', 1], [4, 'four']);
    const second = (await stored(1)) as Stored;
    expect(second.doc).toEqual([4, 'four']);
    expect(BigInt(second.version)).toBeGreaterThan(BigInt(first.version));
    expect(await through.get(['north', 1])).toEqual([4, 'four']);

    const behind = larder.cache('stock_behind');
    await behind.set(['south', 2], 7);
    await expect.poll(async () => (await stored(2))?.doc).toBe(7);
    const flushed = (await stored(2)) as Stored;
    await behind.set(['south', 2], 8);
    await expect.poll(async () => (await stored(2))?.doc).toBe(8);
    expect(BigInt((await stored(2))?.version ?? 0)).toBeGreaterThan(BigInt(flushed.version));
  });

  test('a row with a newer version is not overwritten', async () => {
    const through = larder.cache('stock');
    await sql.query(`INSERT INTO stock VALUES ('west', 3, '"kept"', 9000000000000000000)`);
    const error = await rejection(through.set(['west', 3], 'lost'));
    expect([error.code, error.outcome]).toEqual(['ORIGIN', 'not-applied']);
    expect(error.message).toContain('its version in the table is newer');
    expect(await through.get(['west', 3])).toBe('kept');
  });

  test('a numbered key can be read, and no call can write it', async () => {
    await sql.query('INSERT INTO numbered (n) VALUES (5)');
    const numbered = larder.cache('numbered');
    expect(await numbered.get(1)).toEqual({ id: '1', n: 5 });
    expect((await rejection(numbered.set(2, { n: 6 }, { write: 'through' }))).code).toBe('READ_ONLY');
  });
});

test('a node whose role may not have the fence ends with the SQL to run, said once for all caches', async () => {
  await sql.query(
    `CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT ALL ON stock TO plain; REVOKE ALL ON SCHEMA larder_internal FROM PUBLIC`,
  );
  const url = new URL(postgres.url);
  url.username = 'plain';
  url.password = 'plain';
  const table = { postgresTable: { table: 'stock', key: ['shop', 'sku'], columns: ['doc'] } };
  const configPath = join(folder, 'forbidden.yaml');
  writeFileSync(
    configPath,
    JSON.stringify({ database: { url: url.href }, caches: { a: { origin: table }, b: { origin: table } } }),
  );
  const address = `127.0.0.1:${(await freePorts(1))[0]}`;
  const error = await startNode({ id: 'n9', address, configPath }).then(
    async (node) => node.stop().then(() => 'it started'),
    (thrown: Error) => thrown.message,
  );
  expect(error).toContain("databases.default.fencing: \"table\" given; allowed: 'none', or 'table' after");
  expect(error).toContain('GRANT USAGE ON SCHEMA larder_internal TO "plain"');
  expect(error.split('databases.default.fencing').length).toBe(2);
});
