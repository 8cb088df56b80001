/** Tables whose rows are more than one key column and an object of columns: tuples, documents, versions. */
import { LarderError } from '@larder/proto';
import { type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Origin, OriginRow } from '../origin.js';
import { PostgresDatabase } from './postgres-database.js';
import { type Fencing, resolvePostgresDatabaseOptions } from './postgres-database-options.js';
import { postgresTable } from './postgres-table.js';
import type { PostgresTableOptions } from './postgres-table-options.js';

const never = new AbortController().signal;
let postgres: Postgres;
let client: pg.Client;
let databases: Record<Fencing, PostgresDatabase>;

beforeAll(async () => {
  postgres = await startPostgres();
  client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  const open = (fencing: Fencing) =>
    new PostgresDatabase(resolvePostgresDatabaseOptions({ url: postgres.url, fencing }), 'n1');
  databases = { table: open('table'), none: open('none') };
  await client.query(`
    CREATE TYPE kind AS ENUM ('a', 'b');
    CREATE TABLE prices (
      shop integer, sku text, kind kind, cents integer CHECK (cents >= 0), note text DEFAULT 'none', PRIMARY KEY (shop, sku, kind));
    CREATE TABLE bare (a integer, b date, UNIQUE (b, a));
    CREATE TABLE documents (id text PRIMARY KEY, doc jsonb NOT NULL, made timestamptz NOT NULL DEFAULT '2026-01-31Z');
    CREATE TABLE texts (id integer PRIMARY KEY, doc json);
    CREATE TABLE odd (
      id integer PRIMARY KEY, must text NOT NULL, may text, version bigint, small integer, doc jsonb, made jsonb GENERATED ALWAYS AS (doc) STORED);
    CREATE TABLE versioned (id integer PRIMARY KEY, n integer CHECK (n >= 0), version bigint NOT NULL);
    CREATE TABLE versioned_documents (a integer, b text, doc jsonb, version bigint, PRIMARY KEY (a, b))`);
});

afterAll(async () => {
  await databases.table.close();
  await databases.none.close();
  await client.end();
  await postgres.stop();
});

function table(options: PostgresTableOptions, fencing: Fencing = 'table', isWritten = true): Promise<Origin> {
  return postgresTable(databases[fencing], options, 'caches.x', isWritten);
}

function row(key: string, value: unknown, seq?: number, epoch = 1): OriginRow {
  const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  return seq === undefined ? { key, value: bytes } : { key, value: bytes, epoch, seq };
}

async function load(origin: Origin, ...keys: string[]): Promise<(string | undefined)[]> {
  const values = await origin.loadMany(keys, never);
  return values.map((value) => (value === undefined ? undefined : Buffer.from(value).toString()));
}

async function failure(call: Promise<unknown>): Promise<LarderError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LarderError) return error;
  throw new Error(`expected a LarderError, got ${String(error)}`);
}

describe.each<Fencing>(['table', 'none'])('with fencing %s, tuples of columns as keys', (fencing) => {
  const keys = ['[1,"a","a"]', '[1,"a","b"]', '[2,"a,\\"]","a"]'];

  test('load, write and delete like any other', async () => {
    const origin = await table({ table: 'prices', key: ['shop', 'sku', 'kind'], columns: ['cents', 'note'] }, fencing);
    await origin.writeMany(keys.map((key, index) => row(key, { cents: index })));
    await origin.writeMany([row(keys[1] as string, { cents: 7, note: null })]);
    const values = ['{"cents":0,"note":"none"}', '{"cents":7,"note":null}', '{"cents":2,"note":"none"}'];
    expect(await load(origin, ...keys)).toEqual(values);
    expect(await load(origin, '[1,"a"]', keys[2] as string, '["1","a","a"]', '[3,"a","a"]', keys[0] as string)).toEqual(
      [undefined, values[2], undefined, undefined, values[0]],
    );
    const refused = await failure(
      origin.writeMany([row(keys[0] as string, { cents: 9 }), row('[9,"z","a"]', { cents: -1 })]),
    );
    expect([refused.code, refused.details?.blames]).toEqual(['ORIGIN', 'row']);
    expect((await load(origin, keys[0] as string))[0]).toBe(values[0]);
    expect(await origin.deleteMany(['[3,"a","a"]', keys[2] as string, 'x', keys[0] as string])).toEqual([
      false,
      true,
      false,
      true,
    ]);
    expect(await load(origin, ...keys)).toEqual([undefined, values[1], undefined]);
    expect(await origin.deleteMany([keys[1] as string])).toEqual([true]);
  });

  test('of a table that has nothing else, whose index has them in another order', async () => {
    const origin = await table({ table: 'bare', key: ['a', 'b'] }, fencing);
    await origin.writeMany([row('[1,"2026-01-31"]', {}), row('[1,"2026-02-01"]', { a: 1, b: '2026-02-01' })]);
    await origin.writeMany([row('[1,"2026-01-31"]', {})]);
    expect(await load(origin, '[1,"2026-02-01"]', '[1,"2026-02-02"]')).toEqual(['{"a":1,"b":"2026-02-01"}', undefined]);
    expect(await origin.deleteMany(['[1,"2026-01-31"]', '[1,"2026-02-01"]'])).toEqual([true, true]);
  });

  test('that do not fit the value, or are none, are a BAD_ARGUMENT', async () => {
    const origin = await table({ table: 'bare', key: ['a', 'b'] }, fencing);
    const messages = [
      origin.check?.('[1,"2026-01-31"]', Buffer.from('{"b":"2026-02-01"}'))?.message,
      origin.check?.('1', Buffer.from('{}'))?.message,
    ];
    expect(messages[0]).toContain("the value's 'b' is '2026-02-01', but its key is '2026-01-31'");
    expect(messages[1]).toContain("the key '1' is not the tuple [a: a whole number from -2147483648 to 2147483647");
    expect((await failure(origin.writeMany([row('1', {})]))).code).toBe('BAD_ARGUMENT');
  });
});

describe.each<Fencing>(['table', 'none'])('with fencing %s, a document as value', (fencing) => {
  test('may be any JSON; other columns are left alone', async () => {
    const origin = await table({ table: 'documents', key: 'id', value: 'doc' }, fencing);
    const values = ['{"a": [1, "x,y", null]}', '[]', '"text ]["', '12345678901234567890.5', 'null', 'true'];
    await origin.writeMany(values.map((value, index) => row(`k${index}`, value)));
    expect(await load(origin, ...values.map((_, index) => `k${index}`), 'k9')).toEqual([...values, undefined]);
    await origin.writeMany([row('k0', '{"b":1}')]);
    expect(await load(origin, 'k0')).toEqual(['{"b": 1}']);
    const { rows } = await client.query(`SELECT made FROM documents WHERE id = 'k0'`);
    expect(rows).toEqual([{ made: new Date('2026-01-31Z') }]);
  });

  test('is text to the letter in a json column, and a null there is JSON null', async () => {
    const origin = await table({ table: 'texts', key: 'id', value: 'doc' }, fencing);
    const text = '{ "b":1.0,  "a":[ 1,2 ], "b":2 }';
    await origin.writeMany([row('1', text)]);
    await client.query('INSERT INTO texts VALUES (2, NULL) ON CONFLICT DO NOTHING');
    expect(await load(origin, '1', '2')).toEqual([text, 'null']);
  });

  test.each(['', '{"a":', '1,2', '{} {}', 'undefined', "'a'"])(
    'that is no JSON, %j, is a BAD_ARGUMENT',
    async (text) => {
      const origin = await table({ table: 'documents', key: 'id', value: 'doc' }, fencing);
      expect(origin.check?.('k', Buffer.from(text))?.message).toBe('BAD_ARGUMENT: the value must be JSON');
      expect((await failure(origin.writeMany([row('k', text)]))).code).toBe('BAD_ARGUMENT');
    },
  );
});

describe.each<Fencing>(['table', 'none'])('with fencing %s, a version column', (fencing) => {
  const options = { table: 'versioned', key: 'id', versionColumn: 'version' };

  test('is no part of a value, and a write leaves its version there', async () => {
    const origin = await table(options, fencing);
    await origin.writeMany([row('1', { n: 1 }, 7, 3)]);
    expect(await load(origin, '1')).toEqual(['{"id":1,"n":1}']);
    const { rows } = await client.query('SELECT version FROM versioned WHERE id = 1');
    expect(rows).toEqual([{ version: String(3n * 2n ** 40n + 7n) }]);
    await client.query('DELETE FROM versioned');
  });

  test('lets later writes and repeated ones pass, and refuses earlier ones, all or none', async () => {
    const origin = await table(options, fencing);
    await origin.writeMany([row('1', { n: 1 }, 5), row('2', { n: 2 }, 5)]);
    await origin.writeMany([row('1', { n: 10 }, 6), row('2', { n: 20 }, 5)]);
    const error = await failure(
      origin.writeMany([row('2', { n: 30 }, 9), row('1', { n: 30 }, 5), row('3', { n: 3 }, 5)]),
    );
    expect([error.code, error.outcome, error.details?.blames]).toEqual(['ORIGIN', 'not-applied', 'row']);
    expect(error.message).toContain('its version in the table is newer');
    expect(await load(origin, '1', '2', '3')).toEqual(['{"id":1,"n":10}', '{"id":2,"n":20}', undefined]);
    await origin.writeMany([row('1', { n: 40 }, 1, 2)]);
    expect(await load(origin, '1')).toEqual(['{"id":1,"n":40}']);
    expect((await failure(origin.writeMany([row('2', { n: -1 }, 10)]))).message).toContain('check constraint');
    await client.query('DELETE FROM versioned');
  });

  test('goes with tuples and documents; a row without a version is older than any', async () => {
    const both = { table: 'versioned_documents', key: ['a', 'b'], value: 'doc', versionColumn: 'version' };
    const origin = await table(both, fencing);
    await client.query(`INSERT INTO versioned_documents VALUES (1, 'x', '1', NULL)`);
    await origin.writeMany([row('[1,"x"]', '2', 5), row('[1,"y"]', '{}', 6)]);
    expect(await load(origin, '[1,"x"]', '[1,"y"]')).toEqual(['2', '{}']);
    expect((await failure(origin.writeMany([row('[1,"x"]', '3', 4)]))).code).toBe('ORIGIN');
    expect(await origin.deleteMany(['[1,"x"]', '[1,"y"]'])).toEqual([true, true]);
  });
});

test.each<[PostgresTableOptions, string]>([
  [
    { table: 'prices', key: ['shop', 'sku'] },
    'key: ["shop","sku"] given; allowed: columns with a unique index on just these; there are (shop, sku, kind)',
  ],
  [{ table: 'prices', key: ['shop', 'skew', 'kind'] }, 'key.1: "skew" given; allowed: a column of the table'],
  [
    { table: 'odd', key: 'id', value: 'may' },
    'value: "may" given; allowed: a json or jsonb column that can be written; this one is text',
  ],
  [
    { table: 'odd', key: 'id', value: 'made' },
    'value: "made" given; allowed: a json or jsonb column that can be written',
  ],
  [{ table: 'odd', key: 'id', value: 'dok' }, 'value: "dok" given; allowed: a column of the table'],
  [
    { table: 'odd', key: 'id', value: 'doc' },
    "columns: nothing given; allowed: columns with 'must', which is NOT NULL without a default, among them",
  ],
  [
    { table: 'odd', key: 'id', versionColumn: 'small' },
    'versionColumn: "small" given; allowed: a bigint column that can be written; this one is integer',
  ],
  [{ table: 'odd', key: 'id', versionColumn: 'id' }, 'versionColumn: "id" given; allowed: another column than the key'],
])('%j does not fit its table: a CONFIG error says so', async (options, message) => {
  const error = await failure(table(options));
  expect(error.code).toBe('CONFIG');
  expect(error.reason).toContain(`caches.x.${message}`);
});

test('a cache that only reads needs no column for what it does not write', async () => {
  await client.query(`INSERT INTO odd (id, must, doc) VALUES (1, 'x', '{"a": 1}')`);
  expect(await load(await table({ table: 'odd', key: 'id', value: 'doc' }, 'table', false), '1')).toEqual(['{"a": 1}']);
});
