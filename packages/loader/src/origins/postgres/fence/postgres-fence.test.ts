import { LarderError } from '@larder/proto';
import { type FreshDatabase, freshDatabase, type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Origin } from '../../origin.js';
import { PostgresDatabase } from '../postgres-database.js';
import { type PostgresDatabaseOptions, resolvePostgresDatabaseOptions } from '../postgres-database-options.js';
import { postgresTable } from '../postgres-table.js';

let postgres: Postgres;
let fresh: FreshDatabase;
let client: pg.Client;
const opened: PostgresDatabase[] = [];

/** The connections of a node. */
function connect(node: string, options: Partial<PostgresDatabaseOptions> = {}): PostgresDatabase {
  const database = new PostgresDatabase(resolvePostgresDatabaseOptions({ url: fresh.url, ...options }), node);
  opened.push(database);
  return database;
}

async function open(node: string, options: Partial<PostgresDatabaseOptions> = {}): Promise<Origin> {
  return postgresTable(connect(node, options), { table: 'things', key: 'id' });
}

beforeAll(async () => {
  postgres = await startPostgres();
});

beforeEach(async () => {
  fresh = await freshDatabase(postgres.url);
  client = await newClient();
  await client.query(
    'CREATE TABLE things (id integer PRIMARY KEY, n integer); INSERT INTO things VALUES (1, 0), (2, 0)',
  );
});

afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
  await client.end();
  await fresh.drop();
});

afterAll(() => postgres.stop());

async function newClient(): Promise<pg.Client> {
  const made = new pg.Client({ connectionString: fresh.url });
  made.on('error', () => {});
  await made.connect();
  return made;
}

function write(origin: Origin, id: number, n: number): Promise<void> {
  return origin.writeMany([{ key: `${id}`, value: Buffer.from(JSON.stringify({ n })) }]);
}

async function stored(id: number): Promise<number | undefined> {
  const { rows } = await client.query<{ n: number }>('SELECT n FROM things WHERE id = $1', [id]);
  return rows[0]?.n;
}

async function failure(call: Promise<unknown>): Promise<LarderError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LarderError) return error;
  throw new Error(`expected a LarderError, got ${String(error)}`);
}

async function expectFenced(call: Promise<unknown>): Promise<void> {
  const { code, outcome, details } = await failure(call);
  expect([code, outcome, details?.fenced]).toEqual(['ORIGIN_UNAVAILABLE', 'not-applied', true]);
}

/** Resolves when `count` statements with `part` in their text wait for a lock. */
async function waiting(part: string, count = 1): Promise<void> {
  const watcher = await newClient();
  const sql = `SELECT count(*)::integer AS n FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%' || $1 || '%'`;
  for (let found = 0; found < count; ) {
    const { rows } = await watcher.query<{ n: number }>(sql, [part]);
    found = rows[0]?.n ?? 0;
  }
  await watcher.end();
}

async function whether(call: Promise<unknown>): Promise<boolean> {
  let hasEnded = false;
  void call.then(() => {
    hasEnded = true;
  });
  await client.query('SELECT 1');
  return hasEnded;
}

describe('a write that another node has raised the fence against', () => {
  test('writes nothing if its statement comes after the raise, and the node goes on with the next one', async () => {
    const zombie = await open('n1', { poolSize: 1 });
    const other = await open('n2');
    // Its only connection is taken, so the write is called but not sent, as in a process that stands still.
    await client.query('BEGIN; LOCK TABLE things IN ACCESS EXCLUSIVE MODE');
    const load = zombie.loadMany(['1'], new AbortController().signal);
    await waiting('row_to_json');
    const late = [write(zombie, 1, 11), zombie.deleteMany(['2'])];
    await other.fence?.raise();
    await client.query('COMMIT');
    await Promise.all(late.map(expectFenced));
    await load;
    expect([await stored(1), await stored(2)]).toEqual([0, 0]);
    await write(zombie, 1, 12);
    expect(await zombie.deleteMany(['2', '3'])).toEqual([true, false]);
    expect([await stored(1), await stored(2)]).toEqual([12, undefined]);
  });

  test('is waited for if it holds its line already, while the same node writes other rows', async () => {
    const zombie = await open('n1');
    const other = await open('n2');
    await client.query('BEGIN; UPDATE things SET n = 5 WHERE id = 1');
    const early = write(zombie, 1, 11);
    await waiting('INSERT INTO');
    const raised = (other.fence as NonNullable<Origin['fence']>).raise();
    await waiting('DELETE FROM larder_internal.fence');
    await expectFenced(write(zombie, 2, 21));
    await write(zombie, 2, 22);
    expect(await whether(raised)).toBe(false);
    await client.query('COMMIT');
    await early;
    await raised;
    expect([await stored(1), await stored(2)]).toEqual([11, 22]);
  });

  test('writes nothing if it waited for its line meanwhile', async () => {
    const zombie = await open('n1');
    await client.query(
      `BEGIN; UPDATE larder_internal.fence SET raised = true; DELETE FROM larder_internal.fence WHERE raised`,
    );
    const late = [write(zombie, 1, 11), zombie.deleteMany(['2'])];
    const fenced = Promise.all(late.map(expectFenced));
    await waiting('FOR KEY SHARE', 2);
    await client.query('COMMIT');
    await fenced;
    expect([await stored(1), await stored(2)]).toEqual([0, 0]);
  });

  test('passes beside a raise that is not yet committed, and is waited for by it', async () => {
    const zombie = await open('n1');
    await client.query('BEGIN; UPDATE larder_internal.fence SET raised = true');
    await write(zombie, 1, 11);
    await client.query('COMMIT');
    await expectFenced(write(zombie, 1, 12));
    expect(await stored(1)).toBe(11);
  });
});

describe('raise', () => {
  test('of several nodes at once, again and again, beside their writes: no deadlock, and it ends', async () => {
    const nodes = await Promise.all(['n1', 'n2', 'n3'].map((node) => open(node, { poolSize: 4 })));
    let running = true;
    let written = 0;
    const unexpected: unknown[] = [];
    const writers = nodes.flatMap((origin, index) =>
      [0, 1].map(async (lane) => {
        for (let n = 0; running; n++) {
          await write(origin, 10 + index * 2 + lane, n).then(
            () => written++,
            (error: LarderError) => error.details?.fenced === true || unexpected.push(error),
          );
        }
      }),
    );
    for (let round = 0; round < 20; round++) await Promise.all(nodes.map(({ fence }) => fence?.raise()));
    running = false;
    await Promise.all(writers);
    expect(unexpected).toEqual([]);
    expect(written).toBeGreaterThan(0);
    await nodes[0]?.fence?.raise();
    const { rows } = await client.query('SELECT DISTINCT node FROM larder_internal.fence');
    expect(rows).toEqual([{ node: 'n1' }]);
  });

  test('calls that come while one is under way share the next one', async () => {
    const busy = await open('n1');
    const { fence } = await open('n2');
    if (fence === undefined) throw new Error('there is a fence');
    await client.query('BEGIN; UPDATE things SET n = 5 WHERE id = 1');
    const early = write(busy, 1, 11);
    await waiting('INSERT INTO');
    const calls = [fence.raise()];
    await waiting('DELETE FROM larder_internal.fence');
    calls.push(fence.raise(), fence.raise());
    expect(calls[1]).toBe(calls[2]);
    expect(calls[0]).not.toBe(calls[1]);
    await expectFenced(write(busy, 2, 21));
    await write(busy, 2, 22);
    await client.query('COMMIT');
    await Promise.all([early, ...calls]);
    await expectFenced(write(busy, 2, 23));
    expect(await stored(2)).toBe(22);
  });

  test('fails with ORIGIN_UNAVAILABLE if the server is away, and works again with it', async () => {
    const { fence } = await open('n1');
    await postgres.kill('SIGKILL');
    await expect(fence?.raise()).rejects.toMatchObject({ code: 'ORIGIN_UNAVAILABLE' });
    await postgres.restart();
    client = await newClient();
    await fence?.raise();
  });
});

describe('the lines of a node', () => {
  test('are lost with a crash of the server, which fences each node once', async () => {
    const origin = await open('n1');
    await write(origin, 1, 11);
    await postgres.kill('SIGKILL');
    await postgres.restart();
    client = await newClient();
    // A connection that the pool does not yet know to be broken may answer first.
    for (let n = 12; (await stored(1)) === 11; n++) await write(origin, 1, n).catch(() => {});
    await write(origin, 1, 99);
    expect(await stored(1)).toBe(99);
  });

  test('are those of its last life: it opens after the writes of the one before have ended', async () => {
    const former = await open('n1');
    await client.query('BEGIN; UPDATE things SET n = 5 WHERE id = 1');
    const early = write(former, 1, 11);
    await waiting('INSERT INTO');
    const next = open('n1');
    await waiting('DELETE FROM larder_internal.fence');
    await client.query('COMMIT');
    await Promise.all([early, next]);
    await expectFenced(write(former, 2, 21));
    await write(await next, 2, 22);
    expect([await stored(1), await stored(2)]).toEqual([11, 22]);
  });

  test('are opened by any number of nodes that start together where there is no table yet', async () => {
    const origins = await Promise.all(Array.from({ length: 8 }, (_, index) => open(`n${index}`, { poolSize: 2 })));
    await Promise.all(origins.map((origin, index) => write(origin, 10 + index, index)));
    const { rows } = await client.query('SELECT count(*)::integer AS n FROM larder_internal.fence WHERE NOT raised');
    expect(rows).toEqual([{ n: 16 }]);
  });

  test('are in a schema that is nobody’s own: a role named larder goes on making its tables in public', async () => {
    await open('n1');
    const { rows } = await client.query('SELECT current_user AS role, current_schema() AS schema');
    expect(rows).toEqual([{ role: 'larder', schema: 'public' }]);
  });

  test('are of no use with fencing none: nothing is made', async () => {
    const origin = await open('n1', { fencing: 'none' });
    expect(origin.fence).toBeUndefined();
    await write(origin, 1, 11);
    const { rows } = await client.query(`SELECT to_regnamespace('larder_internal') AS schema`);
    expect(rows).toEqual([{ schema: null }]);
  });
});

describe('a role that may not make the table', () => {
  beforeEach(async () => {
    await client.query(`
      CREATE ROLE "shop's app" LOGIN PASSWORD 'secret'; GRANT SELECT, INSERT, UPDATE, DELETE ON things TO "shop's app"`);
  });
  afterEach(() => client.query(`DROP OWNED BY "shop's app"; DROP ROLE "shop's app"`));

  test('is a CONFIG error with the SQL to run by hand; after that it works', async () => {
    const url = new URL(fresh.url);
    url.username = "shop's app";
    url.password = 'secret';
    const error = await failure(connect('n1', { url: url.href }).fence?.open('databases.shop') as Promise<void>);
    expect(error.code).toBe('CONFIG');
    expect(error.reason).toMatch(/^databases\.shop\.fencing: "table" given; allowed: 'none', or 'table' after/);
    expect(error.reason).toContain('permission denied for database');
    expect(error.reason).not.toContain('\n');
    await client.query(/has run: (CREATE .*;) \(/.exec(error.reason)?.[1] as string);
    const origin = await open('n1', { url: url.href });
    await write(origin, 1, 11);
    await origin.fence?.raise();
    expect(await stored(1)).toBe(11);
  });

  test('may read without it, and then there is nobody to raise it against', async () => {
    const url = new URL(fresh.url);
    url.username = "shop's app";
    url.password = 'secret';
    const origin = await postgresTable(connect('n1', { url: url.href }), { table: 'things', key: 'id' }, 'x', false);
    expect(await origin.loadMany(['1'], new AbortController().signal)).toEqual([Buffer.from('{"id":1,"n":0}')]);
    await origin.fence?.raise();
    const error = await failure(write(origin, 1, 11));
    expect([error.details?.fenced, error.message.includes('permission denied')]).toEqual([true, true]);
  });
});
