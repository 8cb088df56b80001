import { LarderError } from '@larder/proto';
import { type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PostgresDatabase, statement } from './postgres-database.js';
import { type PostgresDatabaseOptions, resolvePostgresDatabaseOptions } from './postgres-database-options.js';
import { postgresTable } from './postgres-table.js';

let postgres: Postgres;
let client: pg.Client;
const opened: PostgresDatabase[] = [];

function open(options: Partial<PostgresDatabaseOptions> = {}): PostgresDatabase {
  const database = new PostgresDatabase(resolvePostgresDatabaseOptions({ url: postgres.url, ...options }));
  opened.push(database);
  return database;
}

beforeAll(async () => {
  postgres = await startPostgres();
});

beforeEach(async () => {
  client = new pg.Client({ connectionString: postgres.url });
  client.on('error', () => {});
  await client.connect();
});

afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
  await client.end();
});

afterAll(() => postgres.stop());

async function failure(call: Promise<unknown>): Promise<LarderError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LarderError) return error;
  throw new Error(`expected a LarderError, got ${String(error)}`);
}

/** Resolves when a statement whose text has `part` in it runs, with the process that runs it. */
async function running(part: string): Promise<number> {
  for (;;) {
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'`,
      [part],
    );
    if (rows[0] !== undefined) return rows[0].pid;
  }
}

describe('a session', () => {
  test('has its timeouts, a name, and settings that make texts the same everywhere', async () => {
    const database = open({ statementTimeout: '1234ms' });
    const names = [
      'statement_timeout',
      'idle_in_transaction_session_timeout',
      'application_name',
      'TimeZone',
      'DateStyle',
      'IntervalStyle',
      'bytea_output',
    ];
    const rows = await database.run(
      statement(`SELECT ${names.map((name) => `current_setting('${name}')`).join(', ')}`),
      [],
      'read',
    );
    expect(rows).toEqual(
      [['1234ms', '1234ms', 'larder', 'UTC', 'ISO, DMY', 'postgres', 'hex']].map((row) => [
        ...row.slice(0, 4),
        expect.stringMatching(/^ISO/),
        ...row.slice(5),
      ]),
    );
  });

  test('is one of at most poolSize, however many statements there are', async () => {
    const database = open({ poolSize: 3 });
    const pids = await Promise.all(
      Array.from({ length: 30 }, () => database.run(statement('SELECT pg_backend_pid(), pg_sleep(0.01)'), [], 'read')),
    );
    expect(new Set(pids.map(([row]) => row?.[0])).size).toBe(3);
  });

  test('prepares a statement once', async () => {
    const database = open({ poolSize: 1 });
    const prepared = statement('SELECT $1::text AS twice');
    await database.run(prepared, ['a'], 'read');
    await database.run(prepared, ['b'], 'read');
    const rows = await database.run(
      statement(`SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%AS twice'`),
      [],
      'read',
    );
    expect(rows).toEqual([['1']]);
  });
});

describe('a statement', () => {
  test('that takes too long is given up: ORIGIN_UNAVAILABLE, not applied', async () => {
    const database = open({ statementTimeout: '50ms' });
    const error = await failure(database.run(statement('SELECT pg_sleep(10)'), [], 'write'));
    expect([error.code, error.outcome, error.details?.sqlState]).toEqual([
      'ORIGIN_UNAVAILABLE',
      'not-applied',
      '57014',
    ]);
    expect(error.message).toContain('canceling statement due to statement timeout');
  });

  test('whose connection is lost has an unknown outcome if it writes', async () => {
    const database = open();
    for (const [kind, outcome] of [
      ['write', 'unknown'],
      ['read', undefined],
    ] as const) {
      const lost = failure(database.run(statement(`SELECT pg_sleep(10), '${kind}'`), [], kind));
      await client.query('SELECT pg_terminate_backend($1)', [await running('pg_sleep(10)')]);
      const error = await lost;
      expect([error.code, error.outcome]).toEqual(['ORIGIN_UNAVAILABLE', outcome]);
    }
    expect(await database.run(statement('SELECT 1'), [], 'read')).toEqual([['1']]);
  });

  test('that is refused for itself, not for a row, says so', async () => {
    await client.query('CREATE TABLE IF NOT EXISTS vanishing (id integer PRIMARY KEY, n integer)');
    const origin = await postgresTable(open(), { table: 'vanishing', key: 'id' });
    await client.query('DROP TABLE vanishing');
    const error = await failure(origin.writeMany([{ key: '1', value: Buffer.from('{"n":1}') }]));
    expect([error.code, error.outcome, error.details?.blames]).toEqual(['ORIGIN', 'not-applied', 'statement']);
    expect(error.message).toContain('"public.vanishing" does not exist');
  });

  test('goes on after a column has changed its type beneath it', async () => {
    await client.query('CREATE TABLE IF NOT EXISTS changing (id integer PRIMARY KEY, n integer)');
    const origin = await postgresTable(open({ poolSize: 1 }), { table: 'changing', key: 'id' });
    await origin.writeMany([{ key: '1', value: Buffer.from('{"n":1}') }]);
    const never = new AbortController().signal;
    await origin.loadMany(['1'], never);
    await client.query('ALTER TABLE changing ALTER n TYPE text');
    expect(Buffer.from((await origin.loadMany(['1'], never))[0] as Uint8Array).toString()).toBe('{"id":1,"n":"1"}');
    const write = () => origin.writeMany([{ key: '1', value: Buffer.from('{"n":2}') }]);
    await write().catch(() => write());
  });
});

describe('a server', () => {
  test('that is not there: ORIGIN_UNAVAILABLE, not applied, with the address and without the password', async () => {
    const database = open({ url: 'postgres://ann:secret@127.0.0.1:1/things' });
    const error = await failure(database.run(statement('SELECT 1'), [], 'write'));
    expect([error.code, error.outcome]).toEqual(['ORIGIN_UNAVAILABLE', 'not-applied']);
    expect(error.message).toContain('PostgreSQL at 127.0.0.1:1/things cannot be reached: connect ECONNREFUSED');
    expect(error.message).not.toContain('secret');
  });

  test('that does not answer: waiting for a connection ends', async () => {
    const database = open({ connectTimeout: '100ms' });
    await database.run(statement('SELECT 1'), [], 'read');
    await postgres.kill('SIGSTOP');
    try {
      const fresh = open({ connectTimeout: '100ms' });
      const error = await failure(fresh.run(statement('SELECT 1'), [], 'write'));
      expect([error.code, error.outcome]).toEqual(['ORIGIN_UNAVAILABLE', 'not-applied']);
    } finally {
      await postgres.kill('SIGCONT');
    }
  });

  test('that crashes under a write and comes back: the outcome is unknown, then statements work again', async () => {
    const database = open();
    const lost = failure(database.run(statement('SELECT pg_sleep(10)'), [], 'write'));
    await running('pg_sleep(10)');
    await postgres.kill('SIGKILL');
    expect([(await lost).code, (await lost).outcome]).toEqual(['ORIGIN_UNAVAILABLE', 'unknown']);
    await postgres.restart();
    expect(await database.run(statement('SELECT 1'), [], 'read')).toEqual([['1']]);
  });

  test('that knows no such user or database says so', async () => {
    const url = new URL(postgres.url);
    url.pathname = '/nowhere';
    const error = await failure(open({ url: url.href }).run(statement('SELECT 1'), [], 'read'));
    expect(error.code).toBe('ORIGIN_UNAVAILABLE');
    expect(error.message).toContain('database "nowhere" does not exist');
  });
});

test('options are checked, and a password is not shown', () => {
  const mistake = (options: unknown): string => {
    try {
      resolvePostgresDatabaseOptions(options, 'databases.main');
    } catch (error) {
      return (error as LarderError).reason;
    }
    return '';
  };
  expect(mistake({ url: 'mysql://ann:secret@db/x' })).toBe(
    'databases.main.url: "mysql://ann:***@db/x" given; allowed: a URL like postgres://user:password@host:5432/database',
  );
  expect(mistake({ url: 'postgres://db', poolSize: 0 })).toContain(
    'databases.main.poolSize: 0 given; allowed: a whole number from 1 to 100',
  );
  expect(mistake({})).toContain('databases.main.url: nothing given');
});
