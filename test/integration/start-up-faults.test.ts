import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import {
  type FreshDatabase,
  freePorts,
  freshDatabase,
  type NodeProcess,
  type Postgres,
  startNode,
  startPostgres,
} from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// What an operator can get wrong before a node serves: one clear message each, and an exit code for scripts.

const MAIN = fileURLToPath(new URL('../../packages/node/dist/main.js', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function larderNode(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await once(child, 'exit')) as [number | null];
  const [stdout, stderr] = await output;
  return { code, stdout, stderr };
}

let folder: string;
let address: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'larder-start-'));
  address = `127.0.0.1:${(await freePorts(1))[0]}`;
});
afterAll(() => rmSync(folder, { recursive: true }));

function configFile(config: unknown): string {
  const path = join(folder, 'larder.yaml');
  writeFileSync(path, JSON.stringify(config));
  return path;
}

const startWith = (config: unknown, listen = address): Promise<Ended> =>
  larderNode('--config', configFile(config), '--id', 'n1', '--listen', listen);

function expectFault(ended: Ended, code: number, message: string): void {
  expect(ended.stderr).toContain(message);
  expect(ended.stderr).toMatch(/^larder-node: [A-Z_]+: .*\n$/);
  expect(ended).toMatchObject({ code, stdout: '' });
}

const CACHES = { caches: { plain: {} } };

test('--help and --version answer and end well', async () => {
  const help = await larderNode('--help');
  expect(help.code).toBe(0);
  expect(help.stdout).not.toContain('\u001b');
  for (const flag of ['--config', '--id', '--listen', '--voters', '--join', '--data'])
    expect(help.stdout).toContain(flag);
  expect(await larderNode('--version')).toMatchObject({ code: 0, stdout: '0.1.0\n', stderr: '' });
});

describe('the command line', () => {
  test('without anything', async () => {
    expectFault(await larderNode(), 64, 'BAD_ARGUMENT: --config is missing');
  });

  test('with both ways into a cluster', async () => {
    const path = configFile(CACHES);
    const flags = ['--config', path, '--id', 'n1', '--listen', address, '--voters', `n1=${address}`, '--join', address];
    expectFault(await larderNode(...flags), 64, '--voters and --join are both given');
  });

  test('that asks for the status of a node that is not there', async () => {
    expectFault(await larderNode('status', '--connect', address), 69, `no node answers at ${address}`);
    expectFault(await larderNode('status', '--connect', 'here'), 64, '--connect is "here"; give HOST:PORT');
  });

  test('with a flag that nobody knows', async () => {
    expectFault(await larderNode('--confg', 'x'), 64, 'unknown argument --confg; did you mean --config?');
  });
});

describe('a cluster whose nodes have another configuration', () => {
  let node: NodeProcess;
  beforeAll(async () => {
    const configPath = configFile({ caches: { plain: {}, cities: {} } });
    const [port] = await freePorts(1);
    node = await startNode({ id: 'n1', address: `127.0.0.1:${port}`, configPath });
  });
  afterAll(() => node.stop());

  const joinWith = (...names: string[]): Promise<Ended> => {
    const path = configFile({ caches: Object.fromEntries(names.map((name) => [name, {}])) });
    return larderNode('--config', path, '--id', 'n2', '--listen', address, '--join', node.address);
  };

  test('is not joined, and the first difference is named', async () => {
    const there = `INCOMPATIBLE: cache 2 of the node at ${node.address} is "cities", and of this node`;
    expectFault(await joinWith('plain', 'towns'), 78, `${there} "towns"; all nodes list the same caches`);
    expectFault(await joinWith('plain', 'new', 'cities'), 78, `${there} "new"; all nodes list the same caches`);
  });

  test('is joined by one that has a cache more, at the end', async () => {
    const configPath = configFile({ caches: { plain: {}, cities: {}, new: {} } });
    const other = await startNode({ id: 'n2', address, join: [node.address], configPath });
    expect(await other.stop()).toMatchObject({ code: 0 });
  });
});

describe('the config file', () => {
  test('is not there', async () => {
    const path = join(folder, 'nowhere.yaml');
    const ended = await larderNode('--config', path, '--id', 'n1', '--listen', address);
    expectFault(ended, 66, `CONFIG: config file ${path}: there is no such file`);
  });

  test('has one mistake', async () => {
    const ended = await startWith({ caches: { plain: { ttl: 'soon' } } });
    expectFault(ended, 78, 'caches.plain.ttl: "soon" given; allowed: milliseconds as a number');
  });

  test('has several: all are listed', async () => {
    const { code, stderr } = await startWith({ memory: '1 MB', caches: { plain: { ttl: 'soon', evict: 'lru' } } });
    expect(code).toBe(78);
    expect(stderr).toContain('has 3 problems:\n  memory: "1 MB" given');
    expect(stderr).toContain('\n  caches.plain.ttl: ');
    expect(stderr).toContain('\n  caches.plain.evict: unknown key');
  });
});

describe('the address', () => {
  test('is in use', async () => {
    const occupant = createServer().listen(0, '127.0.0.1');
    await once(occupant, 'listening');
    const { port } = occupant.address() as AddressInfo;
    expectFault(
      await startWith(CACHES, `127.0.0.1:${port}`),
      76,
      `cannot listen on 127.0.0.1:${port}: the port is in use`,
    );
    occupant.close();
  });

  test('belongs to another machine', async () => {
    // 192.0.2.0/24 is reserved for documentation (RFC 5737).
    const ended = await startWith(CACHES, '192.0.2.1:7400');
    expectFault(ended, 76, 'cannot listen on 192.0.2.1:7400: the address does not belong to this machine');
  });
});

test('a node that waits for the other voters ends when it is told to', async () => {
  const config = configFile({ ...CACHES, drainTimeout: '10ms' });
  const voters = `n1=${address},n2=127.0.0.1:1,n3=127.0.0.1:2`;
  const flags = ['--config', config, '--id', 'n1', '--listen', address, '--voters', voters];
  const child = spawn(process.execPath, [MAIN, ...flags]);
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => chunk.includes('"event":"founding"') && resolve());
  });
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

describe('the database', () => {
  let postgres: Postgres;
  let database: FreshDatabase;
  beforeAll(async () => {
    postgres = await startPostgres();
    database = await freshDatabase(postgres.url);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query('CREATE TABLE cities (id integer PRIMARY KEY, name text)');
    await client.end();
  });
  afterAll(async () => {
    await database.drop();
    await postgres.stop();
  });

  const cities = { origin: { postgresTable: { table: 'cities', key: 'id' } } };
  const inFrontOf = (url: string, more: object = {}): Promise<Ended> =>
    startWith({ database: { url, connectTimeout: 600, ...more }, caches: { cities } });

  test('refuses connections', async () => {
    const [port] = await freePorts(1);
    const ended = await inFrontOf(`postgres://larder:secret@127.0.0.1:${port}/larder`);
    expectFault(ended, 69, `PostgreSQL at 127.0.0.1:${port}/larder cannot be reached: connect ECONNREFUSED`);
    expect(ended.stderr).not.toContain('secret');
  });

  test('takes connections and never answers', async () => {
    const sockets: Socket[] = [];
    const silent: Server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    expectFault(await inFrontOf(`postgres://larder@127.0.0.1:${port}/larder`), 69, 'cannot be reached');
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  test('does not know the user, or the database', async () => {
    const wrong = new URL(database.url);
    wrong.pathname = '/nowhere';
    expectFault(await inFrontOf(wrong.href), 69, 'database "nowhere" does not exist');
    wrong.password = 'wrong';
    wrong.username = 'nobody_here';
    expectFault(await inFrontOf(wrong.href), 69, 'nobody_here');
  });

  test('has no such table, and no such column: both are told', async () => {
    const { code, stderr } = await startWith({
      database: { url: database.url },
      caches: {
        towns: { origin: { postgresTable: { table: 'towns', key: 'id' } } },
        cities: { origin: { postgresTable: { table: 'cities', key: 'ident' } } },
      },
    });
    expect(code).toBe(78);
    expect(stderr).toContain('caches.towns.origin.postgresTable.table: "towns" given');
    expect(stderr).toContain('caches.cities.origin.postgresTable.key: "ident" given');
  });

  test('comes up while the node waits for it', async () => {
    const { pid } = postgres;
    await postgres.kill('SIGSTOP');
    const flags = [
      '--config',
      configFile({ database: { url: database.url, connectTimeout: '20s' }, caches: { cities } }),
    ];
    const child = spawn(process.execPath, [MAIN, ...flags, '--id', 'n1', '--listen', address]);
    const ready = new Promise<string>((resolve) => {
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('"event":"ready"')) resolve(output);
      });
    });
    process.kill(pid, 'SIGCONT');
    expect(await ready).toContain('"caches":["cities"]');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
