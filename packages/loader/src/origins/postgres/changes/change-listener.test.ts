import { type Clock, ManualClock, seededRandom } from '@larder/base';
import type { LarderError } from '@larder/proto';
import { type FreshDatabase, freshDatabase, type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PostgresDatabase } from '../postgres-database.js';
import { resolvePostgresDatabaseOptions } from '../postgres-database-options.js';
import { ChangeListener, type ChangeSink } from './change-listener.js';
import { checkWatched, currentRole, readWatchedTable, watchStatements } from './watched-table.js';

let postgres: Postgres;
let fresh: FreshDatabase;
let client: pg.Client;
let database: PostgresDatabase;
let clock: ManualClock;
let listener: ChangeListener;
let told: Told;

/** What was told, in words; and whoever waits for something of it. */
class Told implements ChangeSink {
  readonly words: string[] = [];
  #watchers: (() => void)[] = [];

  async changed(_source: string, keys: readonly string[]): Promise<void> {
    this.#add(`changed ${[...keys].sort().join()}`);
  }

  allChanged(source: string | undefined): void {
    this.#add(source === undefined ? 'all tables' : 'all rows');
  }

  lost(error: LarderError): void {
    this.#add(`lost: ${error.message}`);
  }

  back(_gapMs: number, isTooLong: boolean): void {
    this.#add(isTooLong ? 'back too late' : 'back');
  }

  async until(words: string): Promise<void> {
    while (!this.words.includes(words)) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  #add(words: string): void {
    this.words.push(words);
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}

const connect = async (): Promise<pg.Client> => {
  const opened = new pg.Client({ connectionString: fresh.url });
  opened.on('error', () => {});
  await opened.connect();
  return opened;
};

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

beforeEach(async () => {
  fresh = await freshDatabase(postgres.url);
  client = await connect();
  await client.query('CREATE TABLE things (id integer PRIMARY KEY, n integer)');
  database = new PostgresDatabase(resolvePostgresDatabaseOptions({ url: fresh.url }));
  const table = await readWatchedTable(database, { table: 'things', key: 'id' }, 'x');
  await database.runAll(watchStatements([table], await currentRole(database)));
  clock = new ManualClock();
  told = new Told();
  listener = new ChangeListener(database, told, clock, seededRandom(1));
});
afterEach(async () => {
  listener.close();
  await database.close();
  await client.end();
  await fresh.drop();
});

const insert = (id: number, by = client) => by.query('INSERT INTO things VALUES ($1, 0)', [id]);
const listeners = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query ~ 'larder_internal.change|LISTEN|pg_current_snapshot' AND pid <> pg_backend_pid()`;

describe('changes', () => {
  test('are told by keys, in whatever order transactions commit, and only those that come after the start', async () => {
    await insert(1);
    await listener.start();
    const slow = await connect();
    await slow.query('BEGIN');
    await insert(2, slow);
    await insert(3);
    await told.until('changed 3');
    await slow.query('COMMIT');
    await told.until('changed 2');
    expect(told.words).not.toContain('changed 1');
    await slow.end();
  });

  test('of a key itself are told for both; of nothing not at all; of everything as such', async () => {
    await insert(1);
    await listener.start();
    await client.query('UPDATE things SET n = 1 WHERE id = 77');
    await client.query('UPDATE things SET id = 2');
    await told.until('changed 1,2');
    await client.query('TRUNCATE things');
    await told.until('all rows');
    expect(told.words).toEqual(['changed 1,2', 'all rows']);
  });

  test('by sessions of Larder are not noted', async () => {
    await client.query(`SET larder.writer = 'on'`);
    await insert(1);
    expect((await client.query('SELECT FROM larder_internal.change')).rowCount).toBe(0);
  });

  test('are found also if the notification was lost', async () => {
    await listener.start();
    await client.query('ALTER TABLE things DISABLE TRIGGER ALL');
    await client.query(`INSERT INTO larder_internal.change (source, keys) VALUES ('things', '{5}')`);
    clock.advance(5_000);
    await told.until('changed 5');
  });

  test('that came while there was no connection are told after it', async () => {
    await listener.start();
    await client.query(listeners);
    await insert(1);
    await told.until('changed 1');
    expect(told.words).not.toContain('all tables');
  });

  test('are told as all if nothing was read for longer than the log reaches back, as on a machine that was suspended', async () => {
    let suspendedMs = 0;
    const suspendable: Clock = {
      monotonicMs: () => clock.monotonicMs(),
      wallMs: () => clock.wallMs() + suspendedMs,
      after: (delayMs, callback) => clock.after(delayMs, callback),
      every: (periodMs, callback) => clock.every(periodMs, callback),
    };
    listener = new ChangeListener(database, told, suspendable, seededRandom(1));
    await listener.start();
    suspendedMs = 540_001;
    await insert(1);
    await told.until('changed 1');
    expect(told.words.slice(0, 3)).toEqual(['all tables', 'back too late', 'changed 1']);
  });

  test('of the last 30 seconds are told once more to who takes partitions over', async () => {
    await listener.start();
    await insert(1);
    await told.until('changed 1');
    for (let second = 0; second < 40; second += 5) {
      clock.advance(5_000);
      const before = told.words.length;
      await insert(100 + second);
      while (told.words.length === before) await new Promise((resolve) => setImmediate(resolve));
    }
    told.words.length = 0;
    listener.replay();
    await told.until('changed 135');
    expect(told.words).not.toContain('changed 1');
    expect(told.words).toContain('changed 110');
  });

  test('are cleared away ten minutes after their commit', async () => {
    await listener.start();
    await insert(1);
    await told.until('changed 1');
    const first = async () =>
      (await client.query('SELECT min(keys[1]::integer) AS first FROM larder_internal.change')).rows[0].first;
    for (let minute = 0; minute < 9; minute++) {
      clock.advance(60_000);
      await insert(2 + minute);
      await told.until(`changed ${2 + minute}`);
    }
    expect(await first()).toBe(1);
    // Ends only if it is cleared away.
    while ((await first()) === 1) clock.advance(5_000);
  });
});

test('a table whose triggers are missing, or disabled, is not followed', async () => {
  await client.query('CREATE TABLE others (id integer PRIMARY KEY)');
  const others = await readWatchedTable(database, { table: 'others', key: 'id' }, 'x');
  await expect(checkWatched(database, others, 'x')).rejects.toThrow('CONFIG: x.watch: true given; allowed: false, or');
  const things = await readWatchedTable(database, { table: 'things', key: 'id' }, 'x');
  await checkWatched(database, things, 'x');
  await client.query(`ALTER TABLE things DISABLE TRIGGER ${things.name}_update`);
  await expect(checkWatched(database, things, 'x')).rejects.toThrow('install-triggers');
});
