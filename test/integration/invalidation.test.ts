/** Tags and clear against three real nodes in front of a real PostgreSQL, also while one of them dies. */
import { bytes, type Cache, connect, type Larder, LarderError } from '@larder/client';
import { type Cluster, type Postgres, startCluster, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const TABLES = `
  CREATE TABLE products (id integer PRIMARY KEY, category_id integer NOT NULL, price integer NOT NULL);
  CREATE TABLE scores (player text PRIMARY KEY, points integer NOT NULL);
  INSERT INTO products SELECT id, id % 10, 1 FROM generate_series(0, 499) id`;

interface Product {
  readonly category_id: number;
  readonly price: number;
}

let postgres: Postgres;
let sql: pg.Client;
let cluster: Cluster;
let larder: Larder;
let pages: Cache<string>;
let products: Cache<Product>;

beforeAll(async () => {
  postgres = await startPostgres();
  sql = new pg.Client({ connectionString: postgres.url });
  await sql.connect();
  await sql.query(TABLES);
  cluster = await startCluster({
    config: {
      database: { url: postgres.url },
      caches: {
        pages: {},
        others: {},
        products: {
          origin: { postgresTable: { table: 'products', key: 'id' } },
          tags: ['product:{id}', 'category:{category_id}'],
        },
        scores: {
          origin: { postgresTable: { table: 'scores', key: 'player' } },
          write: 'behind',
          writeBehind: { maxDelay: '10m', maxAge: '1h' },
        },
      },
    },
  });
  larder = await connect({ endpoints: cluster.endpoints, timeout: '20s' });
  pages = larder.cache<string>('pages');
  products = larder.cache<Product>('products');
});

afterAll(async () => {
  await larder.close();
  await cluster.stop();
  await sql.end();
  await postgres.stop();
});

beforeEach(async () => {
  await pages.clear();
  await products.clear();
});

const keys = (count: number): string[] => Array.from({ length: count }, (_, index) => `page ${index}`);

async function rejection(promise: Promise<unknown>): Promise<LarderError> {
  const [settled] = await Promise.allSettled([promise]);
  if (settled?.status === 'rejected' && settled.reason instanceof LarderError) return settled.reason;
  throw new Error(`an error was due: ${JSON.stringify(settled)}`);
}

describe('invalidateTags', () => {
  test('forgets what has one of the tags, wherever it is, and nothing else', async () => {
    await Promise.all(keys(300).map((key, index) => pages.set(key, key, { tags: ['page', `section ${index % 3}`] })));
    await pages.set('plain', 'plain');
    expect(await pages.invalidateTags('no such tag')).toBeLessThan(20);
    expect(await pages.invalidateTags(['section 1', 'section 2'])).toBeGreaterThan(100);
    const left = await pages.getMany([...keys(300), 'plain']);
    expect([...left.keys()]).toEqual([...keys(300).filter((_, index) => index % 3 === 0), 'plain']);
    await pages.set('page 1', 'new', { tags: ['section 1'] });
    expect(await pages.get('page 1')).toBe('new');
  });

  test('forgets large values too, which are whole until then', async () => {
    const blobs = larder.cache('pages', { codec: bytes() });
    const value = Buffer.alloc(200_000, 'large');
    await blobs.set('large', value, { tags: ['large'] });
    expect((await blobs.get('large'))?.equals(value)).toBe(true);
    await blobs.invalidateTags('large');
    expect(await blobs.get('large')).toBeUndefined();
  });

  test('makes the database be asked again for rows whose columns name the tag', async () => {
    const ids = Array.from({ length: 500 }, (_, id) => id);
    await products.getMany(ids);
    await sql.query('UPDATE products SET price = price + 1 WHERE category_id = 3 OR id = 8');
    await products.invalidateTags(['category:3', 'product:8']);
    const prices = await products.getMany(ids);
    const fresh = (await sql.query('SELECT id, price FROM products')).rows as { id: number; price: number }[];
    for (const { id, price } of fresh) expect(prices.get(String(id))?.price).toBe(price);
  });

  test('keeps an old value from coming back that is being loaded meanwhile', async () => {
    let begun = (): void => {};
    const loading = new Promise<void>((resolve) => {
      begun = resolve;
    });
    let finish = (_value: string): void => {};
    const slow = pages.getOrSet('late', ({ tag }) => {
      tag('red');
      begun();
      return new Promise<string>((resolve) => {
        finish = resolve;
      });
    });
    await loading;
    await pages.invalidateTags('red');
    const next = pages.getOrSet('late', () => 'new', { tags: ['red'] });
    expect(await next).toBe('new');
    finish('old');
    expect(await slow).toBe('old');
    expect(await pages.get('late')).toBe('new');
  });

  test('lets a load fill whose tags were not meant', async () => {
    const value = await pages.getOrSet('other', async () => {
      await pages.invalidateTags('red');
      return 'loaded';
    });
    expect([value, await pages.get('other')]).toEqual(['loaded', 'loaded']);
  });

  test('refuses what is no tag, before anything is done', async () => {
    for (const tags of ['', 'x'.repeat(129), [], ['ok', 7 as unknown as string]]) {
      expect(await rejection(pages.invalidateTags(tags))).toMatchObject({
        code: 'BAD_ARGUMENT',
        outcome: 'not-applied',
      });
    }
    const many = Array.from({ length: 33 }, (_, index) => `tag ${index}`);
    expect(await rejection(pages.set('k', 'v', { tags: many }))).toMatchObject({ code: 'BAD_ARGUMENT' });
    expect(await rejection(pages.getOrSet('k', () => 'v', { tags: ['\ud800'] }))).toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    expect(await rejection(larder.cache('none').clear())).toMatchObject({
      code: 'UNKNOWN_CACHE',
      outcome: 'not-applied',
    });
  });
});

describe('clear', () => {
  test('forgets all entries of its cache, and none of another one', async () => {
    const others = larder.cache<string>('others');
    await Promise.all(keys(300).flatMap((key) => [pages.set(key, key), others.set(key, key)]));
    await pages.clear();
    expect((await pages.getMany(keys(300))).size).toBe(0);
    expect((await others.getMany(keys(300))).size).toBe(300);
    await pages.set('page 7', 'new');
    expect(await pages.get('page 7')).toBe('new');
  });

  test('spares what the database does not have yet', async () => {
    const scores = larder.cache<{ points: number }>('scores');
    await scores.set('ann', { points: 5 });
    await scores.clear();
    expect(await scores.get('ann')).toMatchObject({ points: 5 });
  });

  test('that has no time to be done says that nobody knows how far it came', async () => {
    const error = await rejection(pages.clear({ signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ code: 'ABORTED', outcome: 'unknown' });
  });
});

test('neither the death of an owner nor what comes after it brings anything back', async () => {
  const all = keys(600);
  await Promise.all(all.map((key, index) => pages.set(key, 'old', { tags: [`half ${index % 2}`] })));
  await pages.invalidateTags('half 0');
  const node = cluster.node('n2');
  node.kill('SIGKILL');
  await node.exited;
  const clearing = pages.clear();
  await clearing;
  expect((await pages.getMany(all)).size).toBe(0);
  await pages.set('page 0', 'new');
  expect(await pages.get('page 0')).toBe('new');
}, 60_000);
