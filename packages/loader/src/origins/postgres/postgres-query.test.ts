import { LarderError } from '@larder/proto';
import { type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Origin } from '../origin.js';
import { PostgresDatabase } from './postgres-database.js';
import { resolvePostgresDatabaseOptions } from './postgres-database-options.js';
import { postgresQuery } from './postgres-query.js';
import type { PostgresQueryOptions } from './postgres-query-options.js';

const never = new AbortController().signal;
let postgres: Postgres;
let client: pg.Client;
let database: PostgresDatabase;

beforeAll(async () => {
  postgres = await startPostgres();
  client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  database = new PostgresDatabase(resolvePostgresDatabaseOptions({ url: postgres.url }));
  await client.query(`
    CREATE TYPE shade AS ENUM ('dark', 'light');
    CREATE DOMAIN amount AS bigint;
    CREATE TABLE products (id integer PRIMARY KEY, category text, name text, price numeric(10,2), sold bigint, shade shade, tags text[]);
    CREATE TABLE reviews (product integer, stars integer);
    INSERT INTO products SELECT n, 'c' || n % 3, 'product ' || n, n + 0.5, 9007199254740993 - n, 'dark', ARRAY['a', 'b"c']
      FROM generate_series(1, 30) n;
    INSERT INTO reviews SELECT n, s FROM generate_series(1, 5) n, generate_series(n, 5) s`);
});

afterAll(async () => {
  await database.close();
  await client.end();
  await postgres.stop();
});

function query(sql: string, options: Partial<PostgresQueryOptions> = {}): Promise<Origin> {
  return postgresQuery(database, { sql, ...options }, 'caches.x.origin.postgresQuery');
}

async function load(origin: Origin, ...keys: string[]): Promise<unknown[]> {
  const values = await origin.loadMany(keys, never);
  return values.map((value) => (value === undefined ? undefined : JSON.parse(Buffer.from(value).toString())));
}

async function failure(call: Promise<unknown>): Promise<LarderError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LarderError) return error;
  throw new Error(`expected a LarderError, got ${String(error)}`);
}

describe('rows', () => {
  test('a top list by category and length: a tuple as key, the order kept, empty where there is nothing', async () => {
    const origin = await query(
      'SELECT id, name FROM products p WHERE p.category = $1 ORDER BY p.sold DESC, p.id LIMIT $2; -- $3\n',
    );
    expect(await load(origin, '["c1",2]', '["none",2]', '["c0",1]', '["c1",0]', 'c1', '["c1","2"]')).toEqual([
      [
        { id: 1, name: 'product 1' },
        { id: 4, name: 'product 4' },
      ],
      [],
      [{ id: 3, name: 'product 3' }],
      [],
      undefined,
      undefined,
    ]);
    expect(await load(origin, 'no key at all')).toEqual([undefined]);
  });

  test('one parameter is the key as it is; numbers keep their digits', async () => {
    const origin = await query(
      'SELECT id, sold, price, tags, shade, now() > $1 AS later FROM products ORDER BY id LIMIT 1',
      {
        parameters: ['date'],
      },
    );
    expect(await load(origin, '2026-01-31', '31.1.2026')).toEqual([
      [
        {
          id: 1,
          sold: '9007199254740992',
          price: '1.50',
          tags: ['a', 'b"c'],
          shade: 'dark',
          later: expect.any(Boolean),
        },
      ],
      undefined,
    ]);
  });

  test('is JSON without waste', async () => {
    const origin = await query('SELECT id FROM products WHERE id < $1 ORDER BY id');
    const [value] = await origin.loadMany(['3'], never);
    expect(Buffer.from(value as Uint8Array).toString()).toBe('[{"id":1},{"id":2}]');
  });

  test('of all keys of a batch come with one statement', async () => {
    const origin = await query('SELECT $1::integer AS asked, statement_timestamp() AS at WHERE $1 > 0');
    const keys = Array.from({ length: 1000 }, (_, index) => String(index));
    const [none, ...found] = (await load(origin, ...keys)) as { asked: number; at: string }[][];
    expect(none).toEqual([]);
    expect(found.map((rows) => rows[0]?.asked)).toEqual(keys.slice(1).map(Number));
    expect(new Set(found.map((rows) => rows[0]?.at)).size).toBe(1);
  });
});

describe('row', () => {
  const JOIN = `
    SELECT p.id, p.name, p.price, count(r.stars) AS reviews, round(avg(r.stars), 1) AS stars
    FROM products p LEFT JOIN reviews r ON r.product = p.id
    WHERE p.id = $1
    GROUP BY p.id`;

  test('a join: an object, and a miss where there is no row', async () => {
    const origin = await query(JOIN, { result: 'row' });
    expect(await load(origin, '2', '77', '30', '007')).toEqual([
      { id: 2, name: 'product 2', price: '2.50', reviews: '4', stars: '3.5' },
      undefined,
      { id: 30, name: 'product 30', price: '30.50', reviews: '0', stars: null },
      undefined,
    ]);
  });

  test('a key with two rows is an ORIGIN error, which blames that key and no other', async () => {
    const origin = await query('SELECT stars FROM reviews WHERE product = $1', { result: 'row' });
    expect(await load(origin, '5', '9')).toEqual([{ stars: 5 }, undefined]);
    const error = await failure(load(origin, '1'));
    expect([error.code, error.details?.blames, error.details?.sqlState]).toEqual(['ORIGIN', 'row', '21000']);
  });
});

describe('parameters', () => {
  test('may stand in WITH, subqueries, CASE, LIMIT and OFFSET, and be used twice or in another order', async () => {
    const origin = await query(`
      WITH found AS (SELECT * FROM products WHERE category = $2 /* $9 */)
      SELECT f.id, CASE WHEN $1 > 0 THEN '$1' ELSE "name" END AS "a ""$2"""
      FROM found f WHERE EXISTS (SELECT 1 FROM products q WHERE q.id = f.id AND q.category = $2)
      ORDER BY id LIMIT $1 OFFSET $3`);
    expect(await load(origin, '[1,"c2",1]')).toEqual([[{ id: 5, 'a "$2"': '$1' }]]);
  });

  test('of an enum, of a domain, and of types that are declared', async () => {
    const enums = await query('SELECT count(*) FROM products WHERE shade = $1');
    expect(await load(enums, 'dark', 'light', 'green')).toEqual([[{ count: '30' }], [{ count: '0' }], undefined]);
    const domains = await query('SELECT $1 + 1 AS more', { parameters: ['amount'] });
    expect(await load(domains, '9007199254740993', 'x')).toEqual([[{ more: '9007199254740994' }], undefined]);
    const declared = await query('SELECT $1 AS a, $2 AS b', { parameters: ['smallint', 'character varying'] });
    expect(await load(declared, '[1,"x"]', '[99999,"x"]')).toEqual([[{ a: 1, b: 'x' }], undefined]);
  });
});

test('can only be read', async () => {
  const origin = await query('SELECT $1::integer AS n');
  const row = { key: '1', value: Buffer.from('{}') };
  expect(origin.check?.(row.key, row.value)?.code).toBe('READ_ONLY');
  for (const call of [origin.writeMany([row]), origin.deleteMany(['1'])]) {
    const { code, outcome } = await failure(call);
    expect([code, outcome]).toEqual(['READ_ONLY', 'not-applied']);
  }
  await origin.close();
  expect((await failure(load(origin, '1'))).code).toBe('ORIGIN_UNAVAILABLE');
});

test.each<[string, Partial<PostgresQueryOptions>, RegExp]>([
  ['SELEKT $1', {}, /\.sql: "SELEKT \$1" given; allowed: one SELECT .*syntax error at or near "SELEKT"/],
  ['SELECT * FROM nowhere WHERE id = $1', {}, /\.sql: .*relation "nowhere" does not exist/],
  ['SELECT idd FROM products WHERE id = $1', {}, /\.sql: .*column "idd" does not exist/],
  ['SELECT $1::integer; DROP TABLE reviews', {}, /\.sql: .*cannot insert multiple commands/],
  ['DELETE FROM reviews WHERE product = $1 RETURNING stars', {}, /\.sql: .*one SELECT .*syntax error/],
  [
    'WITH gone AS (DELETE FROM reviews WHERE product = $1 RETURNING stars) SELECT * FROM gone',
    {},
    /\.sql: .*WITH clause/,
  ],
  ['SELECT 1 AS one', {}, /\.sql: .*a SELECT with 1 to 32 parameters, which are the cache's key$/],
  [
    'SELECT p.id, r.product AS id FROM products p, reviews r WHERE p.id = $1',
    {},
    /\.sql: .*different names; 'id' is there twice/,
  ],
  ['SELECT FROM products WHERE id = $1', {}, /\.sql: .*a SELECT with columns/],
  [
    'SELECT id FROM products WHERE price = $1',
    {},
    /\.parameters: nothing given; allowed: for \$1 one of smallint, .*; it is numeric/,
  ],
  ['SELECT id FROM products WHERE id = $2', {}, /\.sql: .*could not determine data type of parameter \$1/],
  [
    'SELECT $1 AS n',
    { parameters: ['integr'] },
    /\.parameters\.0: "integr" given; allowed: a type that the database has/,
  ],
  ['SELECT $1 AS n', { parameters: ["int) AS SELECT 1; --'"] }, /\.parameters\.0: .*a type that the database has/],
  [
    'SELECT id FROM products WHERE id = $1',
    { parameters: ['text'] },
    /\.sql: .*operator does not exist: integer = text/,
  ],
  [
    'SELECT max($1) AS n FROM products',
    { parameters: ['integer'] },
    /\.sql: .*a SELECT that can be a subquery in which columns stand/,
  ],
])('%s, %j: a CONFIG error says what PostgreSQL says of it', async (sql, options, message) => {
  const error = await failure(query(sql, options));
  expect(error.code).toBe('CONFIG');
  expect(error.reason).toMatch(/^caches\.x\.origin\.postgresQuery\./);
  expect(error.reason).toMatch(message);
  expect(error.reason).not.toContain('\n');
});

test('a database that cannot be reached is ORIGIN_UNAVAILABLE, not a mistake', async () => {
  const away = new PostgresDatabase(resolvePostgresDatabaseOptions({ url: 'postgres://127.0.0.1:1/x' }));
  expect((await failure(postgresQuery(away, { sql: 'SELECT $1::text AS a' }))).code).toBe('ORIGIN_UNAVAILABLE');
  await away.close();
});
