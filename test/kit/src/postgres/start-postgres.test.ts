import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, freshDatabase } from './fresh-database.js';
import { type Postgres, startPostgres } from './start-postgres.js';

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(() => postgres.stop());

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  // A killed server also resets connections that have just been ended.
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('a real PostgreSQL 18 answers', async () => {
  const [row] = (await query(postgres.url, 'SHOW server_version_num')) as { server_version_num: string }[];
  expect(Number(row?.server_version_num)).toBeGreaterThanOrEqual(180_000);
});

test('nobody gets in without the password, or from another machine', async () => {
  const url = new URL(postgres.url);
  url.password = 'guess';
  await expect(query(url.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
  expect(await query(postgres.url, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
  expect(await query(postgres.url, 'SHOW unix_socket_directories')).toEqual([{ unix_socket_directories: '' }]);
});

test('every fresh database is empty and goes away with whoever is connected to it', async () => {
  const [first, second] = await Promise.all([freshDatabase(postgres.url), freshDatabase(postgres.url)]);
  await query(first.url, 'CREATE TABLE t (id int)');
  await query(second.url, 'CREATE TABLE t (id int)');
  const guest = new pg.Client({ connectionString: first.url });
  const cutOff = new Promise((resolve) => guest.on('error', resolve));
  await guest.connect();
  await first.drop();
  await cutOff;
  await second.drop();
  await expect(query(first.url, 'SELECT 1')).rejects.toThrow(/does not exist/);
});

test('a database name that is taken is refused', async () => {
  await createDatabase(postgres.url, 'Taken "name"');
  await expect(createDatabase(postgres.url, 'Taken "name"')).rejects.toThrow(/already exists/);
});

test('committed rows are there after a crash and a restart', async () => {
  const database = await freshDatabase(postgres.url);
  await query(database.url, 'CREATE TABLE t AS SELECT 7 AS id');
  await postgres.kill('SIGKILL');
  await postgres.restart();
  expect(await query(database.url, 'SELECT id FROM t')).toEqual([{ id: 7 }]);
  await database.drop();
});

test('a kept data directory is used again, by one server at a time', async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'larder-kept-'));
  chmodSync(dataDirectory, 0o711);
  try {
    const first = await startPostgres({ dataDirectory });
    const url = await createDatabase(first.url, 'kept');
    await query(url, 'CREATE TABLE t AS SELECT 7 AS id');
    await first.stop();
    const second = await startPostgres({ dataDirectory, durable: true });
    const there = new URL(second.url);
    there.pathname = '/kept';
    expect(await query(there.href, 'SELECT id FROM t')).toEqual([{ id: 7 }]);
    expect(await query(there.href, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
    await expect(startPostgres({ dataDirectory })).rejects.toThrow(/another PostgreSQL already runs on the data in/);
    await second.stop();
  } finally {
    rmSync(dataDirectory, { recursive: true, force: true });
  }
});

test('a port in use is named in the error', async () => {
  const occupant = createServer().listen(0, '127.0.0.1');
  await once(occupant, 'listening');
  const { port } = occupant.address() as { port: number };
  await expect(startPostgres({ port })).rejects.toThrow(/could not bind.*Address already in use/s);
  occupant.close();
});

test('a mistaken setting ends in the words of the server', async () => {
  await expect(startPostgres({ settings: { no_such_setting: 1 } })).rejects.toThrow(/no_such_setting/);
});

test('a server does not outlive the process that started it, and its temporary folder goes too', async () => {
  const kit = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
  const script = `
    const { startPostgres } = await import(${JSON.stringify(kit)});
    const { url, pid, launch } = await startPostgres();
    console.log(JSON.stringify({ url, pid, folder: launch.temporary }));
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface({ input: parent.stdout }), 'line');
  const { url, pid, folder } = JSON.parse(String(line)) as { url: string; pid: number; folder: string };
  const client = new pg.Client({ connectionString: url });
  const cutOff = new Promise((resolve) => client.on('error', resolve));
  await client.connect();
  parent.kill('SIGKILL');
  await cutOff;
  while (isAlive(pid) || existsSync(folder)) await new Promise((resolve) => setTimeout(resolve, 50));
});

/** One that has ended but that nobody has asked about yet, a zombie, is not alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !(existsSync('/proc/self/stat') && / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
  } catch {
    return false;
  }
}
