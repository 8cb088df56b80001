/** The laws of an origin (packages/loader/src/origins/origin.ts), held against every origin that there is. */
import {
  MemoryOrigin,
  type Origin,
  type OriginRow,
  PostgresDatabase,
  postgresTable,
  resolvePostgresDatabaseOptions,
} from '@larder/loader';
import { LarderError } from '@larder/proto';
import { type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

/** Makes an empty origin whose keys are whole numbers, and that refuses rows with a negative `amount`. */
type Subject = () => Promise<Origin>;

let postgres: Postgres;
let database: PostgresDatabase;
let tables = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  database = new PostgresDatabase(resolvePostgresDatabaseOptions({ url: postgres.url }));
});

afterAll(async () => {
  await database.close();
  await postgres.stop();
});

const memorySubject: Subject = async () => {
  const isNumber = /^(0|-?[1-9]\d*)$/;
  return new MemoryOrigin(({ key, value }) => {
    if (!isNumber.test(key)) return `the key '${key}' is not a whole number`;
    return (JSON.parse(text(value)) as { amount: number }).amount < 0 ? 'amount must not be negative' : undefined;
  });
};

const postgresSubject: Subject = async () => {
  const table = `things_${tables++}`;
  await run(`CREATE TABLE ${table} (id integer PRIMARY KEY, amount integer CHECK (amount >= 0), note text)`);
  return postgresTable(database, { table, key: 'id', columns: ['amount', 'note'] });
};

const never = new AbortController().signal;
let origin: Origin;

async function load(...keys: string[]): Promise<(string | undefined)[]> {
  return (await origin.loadMany(keys, never)).map((value) => (value === undefined ? undefined : text(value)));
}

describe.each([
  ['memory', memorySubject],
  ['postgresTable', postgresSubject],
])('%s', (_, create) => {
  beforeEach(async () => {
    origin = await create();
  });
  afterEach(() => origin.close());

  describe('keys', keyLaws);
  describe('writes', writeLaws);
  describe('calls', callLaws);
});

function keyLaws(): void {
  test('answers a load in the order of the keys, and what has no row is undefined', async () => {
    await origin.writeMany([row('1', 10), row('3', 30), row('2', 20)]);
    expect(await load('3', '4', '1', '2')).toEqual([value(30), undefined, value(10), value(20)]);
  });

  test('a key that no row can have is missing, not an error', async () => {
    await origin.writeMany([row('1', 10)]);
    expect(await load('abc', '1', '', '99999999999999999999', '1\0', '1 ')).toEqual([
      undefined,
      value(10),
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(await load('abc')).toEqual([undefined]);
    expect(await origin.deleteMany(['abc', '1', '99999999999999999999'])).toEqual([false, true, false]);
    expect(await origin.deleteMany(['abc'])).toEqual([false]);
  });

  test('a row has one key: other spellings read as missing and cannot be written', async () => {
    await origin.writeMany([row('7', 10)]);
    expect(await load('007', '+7', '7.0', ' 7', '7')).toEqual([undefined, undefined, undefined, undefined, value(10)]);
    for (const key of ['007', '+7', ' 7']) {
      const error = await failure(origin.writeMany([row(key, 1)]));
      expect([error.outcome, error.code === 'BAD_ARGUMENT' || error.code === 'ORIGIN']).toEqual(['not-applied', true]);
    }
    expect(await origin.deleteMany(['007'])).toEqual([false]);
    expect(await load('7')).toEqual([value(10)]);
  });
}

function writeLaws(): void {
  test('a write inserts what is new and replaces what is there', async () => {
    await origin.writeMany([row('1', 10), row('2', 20)]);
    await origin.writeMany([row('2', 21), row('3', 31)]);
    expect(await load('1', '2', '3')).toEqual([value(10), value(21), value(31)]);
  });

  test('a write that is repeated changes nothing', async () => {
    const rows = [row('1', 10), row('2', 20)];
    await origin.writeMany(rows);
    await origin.writeMany(rows);
    expect(await load('1', '2')).toEqual([value(10), value(20)]);
  });

  test('a write with a row that is refused is not applied at all, and the error blames a row', async () => {
    await origin.writeMany([row('1', 10)]);
    const error = await failure(origin.writeMany([row('1', 11), row('2', -1), row('3', 30)]));
    expect([error.code, error.outcome]).toEqual(['ORIGIN', 'not-applied']);
    expect(error.details?.blames).not.toBe('statement');
    expect(await load('1', '2', '3')).toEqual([value(10), undefined, undefined]);
  });

  test('a delete tells for each key whether there was a row', async () => {
    await origin.writeMany([row('1', 10), row('2', 20)]);
    expect(await origin.deleteMany(['2', '5', '1'])).toEqual([true, false, true]);
    expect(await load('1', '2')).toEqual([undefined, undefined]);
    expect(await origin.deleteMany(['1'])).toEqual([false]);
  });

  test('the buffers of a write may be used again afterwards', async () => {
    const bytes = Buffer.from(value(10));
    await origin.writeMany([{ key: '1', value: bytes }]);
    bytes.fill(0);
    expect(await load('1')).toEqual([value(10)]);
  });
}

function callLaws(): void {
  test('a thousand rows at once', async () => {
    const keys = Array.from({ length: 1000 }, (_, key) => `${key}`);
    await origin.writeMany(keys.map((key) => row(key, Number(key))));
    expect(await load(...keys)).toEqual(keys.map((key) => value(Number(key))));
    expect(await origin.deleteMany(keys)).toEqual(keys.map(() => true));
  });

  test('calls at the same time do not disturb each other', async () => {
    const groups = Array.from({ length: 30 }, (_, group) => [`${group * 2}`, `${group * 2 + 1}`]);
    await Promise.all(groups.map((keys) => origin.writeMany(keys.map((key) => row(key, Number(key))))));
    const loaded = await Promise.all(groups.map((keys) => load(...keys)));
    expect(loaded).toEqual(groups.map((keys) => keys.map((key) => value(Number(key)))));
  });

  test('states how long a call can take', () => {
    expect(origin.callMsMax).toBeGreaterThan(0);
    expect(origin.callMsMax).toBeLessThan(60_000);
  });

  test('after close every call fails with ORIGIN_UNAVAILABLE', async () => {
    await origin.close();
    const errors = [
      await failure(origin.loadMany(['1'], never)),
      await failure(origin.writeMany([row('1', 1)])),
      await failure(origin.deleteMany(['1'])),
    ];
    expect(errors.map(({ code, outcome }) => `${code} ${outcome}`)).toEqual([
      'ORIGIN_UNAVAILABLE undefined',
      'ORIGIN_UNAVAILABLE not-applied',
      'ORIGIN_UNAVAILABLE not-applied',
    ]);
  });
}

function row(key: string, amount: number): OriginRow {
  return { key, value: Buffer.from(value(amount)) };
}

function value(amount: number): string {
  return JSON.stringify({ amount, note: `number ${amount}` });
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

async function failure(call: Promise<unknown>): Promise<LarderError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LarderError) return error;
  throw new Error(`expected a LarderError, got ${String(error)}`);
}

async function run(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(sql);
  await client.end();
}
