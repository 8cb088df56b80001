import { LarderError } from '@larder/proto';
import { type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Origin } from '../origin.js';
import { PostgresDatabase } from './postgres-database.js';
import { resolvePostgresDatabaseOptions } from './postgres-database-options.js';
import { postgresTable } from './postgres-table.js';
import type { PostgresTableOptions } from './postgres-table-options.js';

const never = new AbortController().signal;
let postgres: Postgres;
let database: PostgresDatabase;
let client: pg.Client;

beforeAll(async () => {
  // A server with defaults that would spoil texts, were they not set for each session.
  postgres = await startPostgres({
    settings: { datestyle: 'SQL, DMY', intervalstyle: 'sql_standard', bytea_output: 'escape', extra_float_digits: 0 },
  });
  client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  database = new PostgresDatabase(resolvePostgresDatabaseOptions({ url: postgres.url }));
});

afterAll(async () => {
  await database.close();
  await client.end();
  await postgres.stop();
});

function table(options: PostgresTableOptions): Promise<Origin> {
  return postgresTable(database, options, 'caches.things.origin.postgresTable');
}

async function read(origin: Origin, key: string): Promise<unknown> {
  const [value] = await origin.loadMany([key], never);
  return value === undefined ? undefined : JSON.parse(Buffer.from(value).toString());
}

function write(origin: Origin, key: string, value: unknown): Promise<void> {
  return origin.writeMany([{ key, value: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)) }]);
}

async function failure(call: Promise<unknown>): Promise<LarderError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LarderError) return error;
  throw new Error(`expected a LarderError, got ${String(error)}`);
}

describe('the value of a row', () => {
  beforeAll(() =>
    client.query(`
      CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"');
      CREATE TYPE place AS (street text, number integer);
      CREATE DOMAIN amount AS numeric CHECK (VALUE >= 0);
      CREATE TABLE everything (
        id integer PRIMARY KEY, small smallint, big bigint, exact numeric, money amount, rate real, ratio double precision,
        flag boolean, name text, code varchar(5), fixed char(4), bytes bytea, at timestamptz, local timestamp, day date,
        clock time, span interval, ident uuid, doc json, docb jsonb, mood mood, place place, ip inet, range int4range,
        texts text[], numbers integer[], bigs bigint[], exacts numeric[], matrix integer[][], moods mood[], docs jsonb[],
        "odd ""name'" text
      )`),
  );

  const value = {
    id: 1,
    small: -32768,
    big: '9223372036854775807',
    exact: '12345678901234567890.123456789012345678900',
    money: '0.10',
    rate: 0.1,
    ratio: 0.1,
    flag: true,
    name: 'Ünïcödé "quotes", \\backslashes\\, {braces}, new\nlines and \u0007 \u{1f980}',
    code: 'five5',
    fixed: 'ab  ',
    bytes: '\\x00ff10',
    at: '2026-01-31T12:34:56.123456+00:00',
    local: '2026-01-31T12:34:56.123456',
    day: '0099-12-31',
    clock: '12:34:56.123456',
    span: '1 year 2 mons 3 days 04:05:06.789',
    ident: '123e4567-e89b-12d3-a456-426614174000',
    doc: { a: [1, null, { b: 'x' }], c: 'plain' },
    docb: ['json', 1.5, null],
    mood: 'it\'s "fine"',
    place: { street: 'Elm, "Street"', number: 7 },
    ip: '10.0.0.0/8',
    range: '[1,5)',
    texts: ['a', 'b,"c"', null, '', 'NULL', '{}'],
    numbers: [],
    bigs: ['9007199254740993', null],
    exacts: ['1.10'],
    matrix: [
      [1, 2],
      [3, 4],
    ],
    moods: ['sad', 'it\'s "fine"'],
    docs: [{ x: 1 }, [1, 'two'], 'three'],
    'odd "name\'': 'odd',
  };

  test('comes back as it was written, whatever the types of its columns', async () => {
    const origin = await table({ table: 'everything', key: 'id' });
    expect(origin.check?.('1', Buffer.from(JSON.stringify(value)))).toBeUndefined();
    await write(origin, '1', value);
    expect(await read(origin, '1')).toEqual(value);
    await write(origin, '2', { ...((await read(origin, '1')) as object), id: 2 });
    expect(await read(origin, '2')).toEqual({ ...value, id: 2 });
  });

  test('of nothing but nulls is an object of nulls', async () => {
    const origin = await table({ table: 'everything', key: 'id' });
    const nulls = Object.fromEntries(Object.keys(value).map((name) => [name, name === 'id' ? 3 : null]));
    await write(origin, '3', nulls);
    expect(await read(origin, '3')).toEqual(nulls);
    await write(origin, '4', {});
    expect(await read(origin, '4')).toEqual({ ...nulls, id: 4 });
  });

  test('keeps the digits of numbers that JavaScript would round', async () => {
    const origin = await table({ table: 'everything', key: 'id', columns: ['big', 'exact', 'doc'] });
    await write(
      origin,
      '5',
      '{"big": 9007199254740993, "exact": 0.1234567890123456789, "doc": {"n": 12345678901234567890}}',
    );
    const [bytes] = await origin.loadMany(['5'], never);
    expect(Buffer.from(bytes as Uint8Array).toString()).toBe(
      '{"big":"9007199254740993","exact":"0.1234567890123456789","doc":{"n": 12345678901234567890}}',
    );
  });

  test('has the configured columns, in their order; others are left alone', async () => {
    const origin = await table({ table: 'everything', key: 'id', columns: ['name', 'small'] });
    await client.query(`INSERT INTO everything (id, name, small, code) VALUES (6, 'six', 6, 'VI')`);
    await write(origin, '6', { name: 'SIX', small: null });
    const [bytes] = await origin.loadMany(['6'], never);
    expect(Buffer.from(bytes as Uint8Array).toString()).toBe('{"name":"SIX","small":null}');
    expect((await client.query('SELECT code FROM everything WHERE id = 6')).rows).toEqual([{ code: 'VI' }]);
  });
});

describe('what a value lacks', () => {
  beforeAll(() =>
    client.query(`
      CREATE TABLE defaults (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL, kind text NOT NULL DEFAULT 'plain', color text DEFAULT 'red', size integer,
        at timestamptz NOT NULL DEFAULT now(), double integer GENERATED ALWAYS AS (size * 2) STORED
      )`),
  );

  test('becomes its default, or null without one; null stays null; what is generated is ignored', async () => {
    const columns = ['name', 'kind', 'color', 'size', 'double'];
    const origin = await table({ table: 'defaults', key: 'id', columns, assignedKeys: true });
    await origin.writeMany(
      [{ name: 'a' }, { name: 'b', kind: 'fancy', color: null, size: 4, double: 99 }, { name: 'c', color: 'blue' }].map(
        (value, index) => ({ key: `${index + 1}`, value: Buffer.from(JSON.stringify(value)) }),
      ),
    );
    expect(await read(origin, '1')).toEqual({ name: 'a', kind: 'plain', color: 'red', size: null, double: null });
    expect(await read(origin, '2')).toEqual({ name: 'b', kind: 'fancy', color: null, size: 4, double: 8 });
    expect(await read(origin, '3')).toEqual({ name: 'c', kind: 'plain', color: 'blue', size: null, double: null });
    await write(origin, '2', { name: 'b' });
    expect(await read(origin, '2')).toEqual({ name: 'b', kind: 'plain', color: 'red', size: null, double: null });
  });
});

describe('a value that cannot be a row', () => {
  beforeAll(() =>
    client.query("CREATE TABLE strict (id integer PRIMARY KEY, name text NOT NULL, kind text NOT NULL DEFAULT 'x')"),
  );

  test.each([
    ['7', '[1]', 'the value must be a JSON object, because its properties are columns'],
    ['7', 'null', 'the value must be a JSON object'],
    ['7', '"text"', 'the value must be a JSON object'],
    ['7', '{"name":', 'the value must be a JSON object'],
    ['7', '{"name": "a"},{"name": "b"}', 'the value must be a JSON object'],
    ['7', '', 'the value must be a JSON object'],
    ['7', '{"name": "a", "nmae": 1}', "the value has 'nmae'; allowed: id, name, kind"],
    ['7', '{"name": "a", "__proto__": 1}', "the value has '__proto__'"],
    ['7', '{"name": "a", "id": 8}', "the value's 'id' is '8', but its key is '7'"],
    ['7', '{}', "the value lacks 'name', which is NOT NULL"],
    ['7', '{"name": null}', "the value's 'name' is null, but the column is NOT NULL"],
    ['7', '{"name": "a", "kind": null}', "the value's 'kind' is null"],
    [
      'seven',
      '{"name": "a"}',
      "the key 'seven' is not a whole number from -2147483648 to 2147483647 without leading zeros",
    ],
    ['2147483648', '{"name": "a"}', "the key '2147483648' is not a whole number"],
  ])('key %s, %s: is a BAD_ARGUMENT that says so', async (key, value, message) => {
    const origin = await table({ table: 'strict', key: 'id' });
    const mistake = origin.check?.(key, Buffer.from(value));
    expect(mistake?.code).toBe('BAD_ARGUMENT');
    expect(mistake?.message).toContain(message);
    const error = await failure(write(origin, key, value));
    expect([error.message, error.outcome]).toEqual([mistake?.message, 'not-applied']);
  });

  test('is refused if it is not UTF-8', async () => {
    const origin = await table({ table: 'strict', key: 'id' });
    const value = Buffer.from('{"name": "?"}');
    value[10] = 0xff;
    expect(origin.check?.('7', value)?.code).toBe('BAD_ARGUMENT');
  });

  test('for a reason that only PostgreSQL sees is an ORIGIN error that blames a row', async () => {
    await client.query(
      'CREATE TABLE picky (id integer PRIMARY KEY, n smallint, t varchar(3), CONSTRAINT small_n CHECK (n < 100))',
    );
    const origin = await table({ table: 'picky', key: 'id' });
    for (const [value, sqlState] of [
      [{ n: 100 }, '23514'],
      [{ n: 1e9 }, '22003'],
      [{ n: 'x' }, '22P02'],
      [{ n: 1.5 }, '22P02'],
      [{ t: 'four' }, '22001'],
      [{ t: 'a\0b' }, '22P05'],
    ] as const) {
      const error = await failure(write(origin, '1', value));
      expect([error.code, error.outcome, error.details?.blames, error.details?.sqlState]).toEqual([
        'ORIGIN',
        'not-applied',
        'row',
        sqlState,
      ]);
    }
    expect((await failure(write(origin, '1', { n: 100 }))).message).toContain('violates check constraint "small_n"');
    expect(await read(origin, '1')).toBeUndefined();
  });
});

describe('keys', () => {
  test.each([
    ['bigint', ['9223372036854775807', '-1', '0'], ['9223372036854775808', '-0', '1e3', '01']],
    ['smallint', ['32767', '-32768'], ['32768', '-32769']],
    [
      'uuid',
      ['123e4567-e89b-12d3-a456-426614174000'],
      ['123E4567-e89b-12d3-a456-426614174000', '123e4567e89b12d3a456426614174000', 'x'],
    ],
    ['text', ['', 'a b', 'NULL', 'null', '{a,"b"}', 'back\\slash', 'Ünïcödé', ' x ', "o'clock"], ['a\0b']],
    ['varchar(8)', ['12345678', 'a '], ['a\0b']],
    ['char(4)', ['ab', 'abcd'], ['ab ', 'ab  ']],
    ['date', ['2026-01-31', '2024-02-29'], ['2026-02-29', '2026-1-31', 'today', '31.01.2026']],
    ['shade', ['dark', 'very light'], ['Dark', 'none']],
    ['positive', ['1', '200'], ['-0', 'x']],
  ])('of type %s', async (type, good, bad) => {
    await client.query(`
      DROP TABLE IF EXISTS keyed; DROP TYPE IF EXISTS shade; DROP DOMAIN IF EXISTS positive;
      CREATE TYPE shade AS ENUM ('dark', 'very light'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
      CREATE TABLE keyed (k ${type} PRIMARY KEY, n integer)`);
    const origin = await table({ table: 'keyed', key: 'k', columns: ['n'] });
    await origin.writeMany(good.map((key, n) => ({ key, value: Buffer.from(JSON.stringify({ n })) })));
    const found = await origin.loadMany([...good, ...bad], never);
    expect(found.map((value) => (value === undefined ? undefined : Buffer.from(value).toString()))).toEqual([
      ...good.map((_, n) => JSON.stringify({ n })),
      ...bad.map(() => undefined),
    ]);
    for (const key of bad) expect((await failure(write(origin, key, { n: 1 }))).code).toBe('BAD_ARGUMENT');
    expect(await origin.deleteMany([...bad, ...good])).toEqual([...bad.map(() => false), ...good.map(() => true)]);
  });

  test('too long for their column are missing, and refused by PostgreSQL on write', async () => {
    await client.query('CREATE TABLE short (k varchar(3) PRIMARY KEY, n integer)');
    const origin = await table({ table: 'short', key: 'k', columns: ['n'] });
    await write(origin, 'abc', { n: 1 });
    expect(await read(origin, 'abcd')).toBeUndefined();
    expect((await failure(write(origin, 'abcd', { n: 1 }))).code).toBe('ORIGIN');
  });

  test('that PostgreSQL could generate may be named if the application says that it assigns them', async () => {
    await client.query(`
      CREATE TABLE serials (id bigserial PRIMARY KEY, n integer);
      CREATE TABLE identities (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, n integer);
      INSERT INTO serials (n) VALUES (10)`);
    for (const name of ['serials', 'identities']) {
      const error = await failure(table({ table: name, key: 'id' }));
      expect(error.reason).toMatch(
        /^caches\.things\..*\.key: "id" given; allowed: a key that the application chooses \(/,
      );
      expect(error.reason).toContain("PostgreSQL numbers 'id' itself");
      const origin = await table({ table: name, key: 'id', assignedKeys: true });
      await write(origin, '7', { n: 7 });
      expect(await read(origin, '7')).toEqual({ id: '7', n: 7 });
    }
    const onlyRead = await postgresTable(database, { table: 'serials', key: 'id' }, 'x', false);
    expect(await read(onlyRead, '1')).toEqual({ id: '1', n: 10 });
  });

  test("that are Larder's own are not named among those that there are", async () => {
    await client.query('CREATE SCHEMA IF NOT EXISTS larder_internal; CREATE TABLE larder_internal.own (id integer)');
    await expect(table({ table: 'own', key: 'id' })).rejects.toThrow(/there are (?!.*larder_internal)/);
  });

  test('of a table that has nothing else', async () => {
    await client.query('CREATE TABLE lonely (id integer PRIMARY KEY)');
    const origin = await table({ table: 'lonely', key: 'id' });
    await write(origin, '7', {});
    await write(origin, '7', { id: 7 });
    expect(await read(origin, '7')).toEqual({ id: 7 });
  });
});

describe('tables', () => {
  test('in another schema, partitioned, with names that need quotes', async () => {
    await client.query(`
      CREATE SCHEMA "Geo data"; CREATE TABLE "Geo data"."My.Cities" ("The ""Id""" integer PRIMARY KEY, "select" text) PARTITION BY RANGE ("The ""Id""");
      CREATE TABLE "Geo data".p PARTITION OF "Geo data"."My.Cities" DEFAULT`);
    const origin = await table({ table: 'Geo data.My.Cities', key: 'The "Id"' });
    await write(origin, '1', { select: 'x' });
    expect(await read(origin, '1')).toEqual({ 'The "Id"': 1, select: 'x' });
  });

  test.each([
    [
      { table: 'nowhere', key: 'id' },
      /table: "nowhere" given; allowed: a table of PostgreSQL at 127\.0\.0\.1:\d+\/postgres; there are .*misfits/,
    ],
    [{ table: 'no.where', key: 'id' }, /table: "no\.where" given/],
    [{ table: 'misfit_view', key: 'id' }, /table: "misfit_view" given; allowed: a table; this is a view/],
    [{ table: 'misfits', key: 'idd' }, /key: "idd" given; allowed: a column of the table; there are id, plain, part_a/],
    [
      { table: 'misfits', key: 'id', columns: ['plain', 'id2'] },
      /columns\.1: "id2" given; allowed: a column of the table; there are id,/,
    ],
    [
      { table: 'misfits', key: 'plain' },
      /key: "plain" given; allowed: a column with a unique index of its own; there are \(id\), \(amount\), \(folded\), \(part_a, part_b\)$/,
    ],
    [{ table: 'misfits', key: 'part_a' }, /unique index of its own/],
    [{ table: 'misfits', key: 'conditional' }, /unique index of its own/],
    [{ table: 'misfits', key: 'late' }, /unique index of its own/],
    [
      { table: 'misfits', key: 'amount' },
      /key: "amount" given; allowed: a column of type smallint, integer, .*; this one is numeric/,
    ],
    [{ table: 'misfits', key: 'folded' }, /key: "folded" given; allowed: a column with a deterministic collation/],
  ])('that do not fit %j are a CONFIG error with path, value and what there is', async (options, message) => {
    await client.query(`
      CREATE COLLATION IF NOT EXISTS folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE IF NOT EXISTS misfits (
        id integer PRIMARY KEY, plain text, part_a integer, part_b integer, conditional integer, late integer UNIQUE DEFERRABLE,
        amount numeric UNIQUE, folded text COLLATE folding UNIQUE, UNIQUE (part_a, part_b)
      );
      CREATE UNIQUE INDEX IF NOT EXISTS misfits_conditional ON misfits (conditional) WHERE plain IS NULL;
      CREATE OR REPLACE VIEW misfit_view AS SELECT * FROM misfits`);
    const error = await failure(table(options));
    expect(error.code).toBe('CONFIG');
    expect(error.reason).toMatch(/^caches\.things\.origin\.postgresTable\./);
    expect(error.reason).toMatch(message);
  });
});
