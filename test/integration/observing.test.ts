/** What an operator sees of a running cluster: the commands of docs/observing.md against real nodes and PostgreSQL. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { connect, type Larder } from '@larder/client';
import { type Cluster, type Postgres, startCluster, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../packages/node/dist/main.js', import.meta.url));
const TABLES = `
  CREATE TABLE products (id integer PRIMARY KEY, name text NOT NULL, price numeric CHECK (price > 0));
  CREATE TABLE scores (player text PRIMARY KEY, points bigint NOT NULL CHECK (points >= 0));
  INSERT INTO products SELECT id, 'Product ' || id, id FROM generate_series(1, 100) id`;
const CONFIG = {
  memory: '64MiB',
  caches: {
    products: { origin: { postgresTable: { table: 'products', key: 'id' } }, negativeTtl: null },
    scores: {
      write: 'behind',
      origin: { postgresTable: { table: 'scores', key: 'player' } },
      writeBehind: { maxDelay: '50ms', retryFirst: '10ms', retryMax: '20ms', deadLetterAfter: 2 },
    },
    slow: {
      write: 'behind',
      origin: { postgresTable: { table: 'scores', key: 'player' } },
      writeBehind: { maxDelay: '50s', flushSize: null },
      negativeTtl: '30s',
    },
    idle: {},
  },
};

let postgres: Postgres;
let sql: pg.Client;
let cluster: Cluster;
let larder: Larder;

beforeAll(async () => {
  postgres = await startPostgres();
  sql = new pg.Client({ connectionString: postgres.url });
  await sql.connect();
  await sql.query(TABLES);
  const config = { database: { url: postgres.url }, ...CONFIG };
  cluster = await startCluster({ config, nodes: 2 });
  larder = await connect({ endpoints: cluster.endpoints, timeout: '20s' });
});

afterAll(async () => {
  await larder?.close();
  await cluster?.stop();
  await sql?.end();
  await postgres?.stop();
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One run of the command, as a shell would do it. `address`: of the node that is asked. */
function larderNode(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

function anyNode(): string[] {
  return ['--connect', cluster.endpoints[0] as string];
}

/** Of the cache `scores`. */
async function givenUpRows(): Promise<number> {
  const nodes = await larder.nodeStatistics();
  const all = nodes.flatMap(({ caches }) => caches.filter(({ name }) => name === 'scores'));
  return all.reduce((sum, statistics) => sum + statistics.givenUpRows, 0);
}

/** The commands of docs/observing.md, as a shell would take them apart. */
function documentedCommands(): string[][] {
  const text = readFileSync(new URL('../../docs/observing.md', import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block as string);
  return blocks
    .flatMap((block) => block.split('\n').filter((line) => line !== ''))
    .map((line) => line.replace(/\s#.*$/, '').replaceAll('127.0.0.1:7401', cluster.endpoints[0] as string))
    .map((line) => [...line.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word));
}

describe('larder-node status', () => {
  test('has a block for each cache, over all nodes, with what is not zero', async () => {
    const products = larder.cache('products');
    for (let id = 1; id <= 40; id++) await products.get(id);
    for (let id = 1; id <= 40; id++) await products.get(id);
    await products.set(1, { name: 'One', price: '2' });
    await products.delete(2);
    await products.get(2);
    const { code, stdout, stderr } = await larderNode('status', ...anyNode());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const blocks = stdout.split('\n\n');
    const block = blocks.find((text) => text.startsWith('cache products'));
    expect(block).toMatch(/^ {2}entries +78 with their copies, in [\d.]+ KiB$/m);
    expect(block).toMatch(/^ {2}reads +81, 49\.4 % hits$/m);
    expect(block).toMatch(/^ {2}misses +41: 40 cold, 1 invalidated$/m);
    expect(block).toMatch(/^ {2}loads +41 keys in \d+ statements, 40 found$/m);
    expect(block).toMatch(
      /^ {2}load time +p50 [\d.]+ ms, p99 [\d.]+ ms, max [\d.]+ ms; keys of a statement: mean 1\.0/m,
    );
    expect(block).toMatch(/^ {2}writes +1 set, 1 delete, 2 rows in 2 statements$/m);
    expect(block).not.toMatch(/pending|failed|evicted/);
    expect(blocks.find((text) => text.startsWith('cache idle'))?.trim()).toBe('cache idle');
    expect(stdout).toMatch(/^n2 +up \d+ (ms|s) +[\d.]+ \w+ of 64\.0 MiB +\d/m);
  });

  test('as JSON is what programs read: the view, each node, and each cache over all nodes', async () => {
    const { stdout } = await larderNode('status', ...anyNode(), '--json');
    const { nodeId, members, nodes, caches } = JSON.parse(stdout);
    expect([nodeId, members.length, nodes.length]).toEqual(['n1', 2, 2]);
    const hits = nodes.map((node: { caches: { hits: number }[] }) => node.caches[0]?.hits);
    expect(caches[0]).toMatchObject({ name: 'products', hits: hits[0] + hits[1], misses: 41, missesInvalidated: 1 });
    expect(caches[0].loadMs.count).toBeGreaterThan(0);
  });
});

test('an error of the database names cache and key, and not the value', async () => {
  const fault = larder.cache('products').set(7, { name: 'Seven', price: 'a secret' });
  await expect(fault).rejects.toThrow(
    /^ORIGIN: cache 'products', key "7": PostgreSQL .* refused: invalid input syntax/,
  );
  await expect(fault).rejects.not.toThrow(/secret/);
});

describe('explain', () => {
  test('of a key that was never here, from any node, and that looking changes nothing', async () => {
    for (const endpoint of cluster.endpoints) {
      const { code, stdout } = await larderNode('explain', '--connect', endpoint, 'products', '77');
      expect(code).toBe(0);
      expect(stdout).toMatch(/^cache products, key "77"\n {2}place +partition \d+, owner n\d, successor n\d$/m);
      expect(stdout).toMatch(/^ {2}state +absent$/m);
      expect(stdout).toMatch(/^ {2}missing +never here, or too long ago to be remembered$/m);
    }
    expect(await larder.cache('products').has(77)).toBe(false);
  });

  test('of a row that was loaded: version, age, life and the load', async () => {
    const products = larder.cache('products');
    await products.get(50);
    const { version, owner } = (await products.entry(50))!;
    const explained = await products.explain(50);
    expect(explained).toMatchObject({
      ...{ owner, node: owner, state: 'present', version, read: 'through', write: 'through', missCause: 'cold' },
      ...{ dirty: false, unsure: false, loading: false, waiting: 0, unserved: undefined, lastWrite: undefined },
      ...{ age: { from: 'load' }, lastLoad: { outcome: 'found' } },
    });
    expect(explained.successor).toBe(owner === 'n1' ? 'n2' : 'n1');
    expect(explained.ttl).toBeGreaterThan(500_000);
    expect(explained.valueBytes).toBeGreaterThan(20);
    await larder.cache('idle').set('tagged', 1, { tags: ['a', 'b'] });
    expect(await larder.cache('idle').explain('tagged')).toMatchObject({ tags: 2, valueBytes: 1 });
    const { stdout } = await larderNode('explain', ...anyNode(), 'products', '50');
    expect(stdout).toMatch(/^ {2}age +[\d.]+ m?s, since its load$/m);
    expect(stdout).toMatch(/^ {2}life +\d+ s left$/m);
    expect(stdout).toMatch(/^ {2}last load +found, [\d.]+ m?s ago, took [\d.]+ ms$/m);
  });

  test('of a deleted row: why it is missing, and the write', async () => {
    const products = larder.cache('products');
    await products.get(60);
    await products.delete(60);
    expect(await products.explain(60)).toMatchObject({
      ...{ state: 'absent', missCause: 'invalidated', version: undefined, ttl: undefined, age: undefined },
      ...{ lastLoad: { outcome: 'found' }, lastWrite: { outcome: 'deleted' } },
    });
    const { stdout } = await larderNode('explain', ...anyNode(), 'products', '60', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      cache: 'products',
      key: '60',
      state: 'absent',
      missCause: 'invalidated',
    });
  });

  test('of write-behind: what waits, a delete that waits, and what is known to have no row', async () => {
    const slow = larder.cache('slow');
    await slow.set('amy', { points: 1 });
    expect(await slow.explain('amy')).toMatchObject({ state: 'present', dirty: true, write: 'behind' });
    await slow.delete('amy');
    expect(await slow.explain('amy')).toMatchObject({ state: 'deleted', dirty: true });
    await slow.get('bob');
    expect(await slow.explain('bob')).toMatchObject({ state: 'negative', lastLoad: { outcome: 'missing' } });
    const { stdout } = await larderNode('explain', ...anyNode(), 'slow', 'amy');
    expect(stdout).toMatch(/^ {2}pending +acknowledged, and not in the database yet$/m);
  });

  test('of a cache or with words that are wrong is refused in words', async () => {
    const unknown = await larderNode('explain', ...anyNode(), 'nothing', '1');
    expect(unknown).toMatchObject({ code: 64, stdout: '' });
    expect(unknown.stderr).toMatch(/UNKNOWN_CACHE: no cache is named "nothing"; declared are: products, scores/);
    const short = await larderNode('explain', ...anyNode(), 'products');
    expect(short.code).toBe(64);
    expect(short.stderr).toMatch(/1 word is given besides the flags; allowed is CACHE KEY/);
    await expect(larder.cache('nothing').explain(1)).rejects.toMatchObject({ code: 'UNKNOWN_CACHE' });
    await expect(larder.cache('products').explain('')).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
  });
});

describe('dead letters', () => {
  const scores = () => larder.cache<{ points: number | string }>('scores');
  const deadLetters = (...args: string[]) => larderNode('dead-letters', ...args, ...anyNode());

  test('are listed over all nodes, shown with their error, retried after the table was mended, and discarded', async () => {
    for (let player = 0; player < 8; player++) await scores().set(`poor ${player}`, { points: -player - 1 });
    await expect.poll(givenUpRows).toBe(8);

    const list = await deadLetters('list', 'scores');
    expect(list).toMatchObject({ code: 0, stderr: '' });
    expect(list.stdout).toMatch(
      /^n\d +scores +poor 3 +2 +\d+ m?s +when somebody asks +ORIGIN, SQLSTATE 23514, scores_points_check$/m,
    );
    expect(list.stdout).toMatch(/^8 dead letters$/m);
    const { total, letters } = JSON.parse((await deadLetters('list', '--json')).stdout);
    expect(total).toBe(8);
    expect(new Set(letters.map(({ nodeId }: { nodeId: string }) => nodeId))).toEqual(new Set(['n1', 'n2']));

    expect(await scores().explain('poor 3')).toMatchObject({
      dirty: true,
      refusals: 2,
      lastWrite: { outcome: 'failed' },
    });
    const explained = await larderNode('explain', ...anyNode(), 'scores', 'poor 3');
    expect(explained.stdout).toMatch(/^ {2}pending .*; refused 2 times, see larder-node dead-letters show$/m);

    const show = await deadLetters('show', 'scores', 'poor 3');
    expect(show.stdout).toMatch(/^cache scores, key "poor 3", at node n\d$/m);
    expect(show.stdout).toMatch(/^ {2}error +ORIGIN: .*violates check constraint "scores_points_check"/m);

    const discarded = await deadLetters('discard', 'scores', 'poor 3');
    expect(discarded).toMatchObject({ code: 0, stdout: '1 dead letter discarded\n' });
    expect(await scores().get('poor 3')).toBeUndefined();

    await sql.query('ALTER TABLE scores DROP CONSTRAINT scores_points_check');
    expect(await deadLetters('retry', 'scores', 'poor 4')).toMatchObject({
      stdout: '1 dead letter to be tried again\n',
    });
    expect(await deadLetters('retry', 'scores', '--json')).toMatchObject({ code: 0 });
    await expect.poll(givenUpRows).toBe(0);
    const { rows } = await sql.query("SELECT count(*)::int AS count FROM scores WHERE player LIKE 'poor %'");
    expect(rows).toEqual([{ count: 7 }]);
    const { stdout } = await larderNode('status', ...anyNode());
    expect(stdout).toMatch(/^ {2}dead letters +\d retried by hand, 1 discarded$/m);
  });

  test('that are not there, and words that mean nothing, are refused in words', async () => {
    const none = await deadLetters('show', 'scores', 'nobody');
    expect(none).toMatchObject({ code: 65, stdout: '' });
    expect(none.stderr).toContain('cache scores has no dead letter with the key "nobody"');
    expect(await deadLetters('list', 'nothing')).toMatchObject({ code: 64 });
    for (const words of [['discard', 'scores'], ['forget', 'scores', 'nobody'], ['show']]) {
      const { code, stderr } = await deadLetters(...words);
      expect(code).toBe(64);
      expect(stderr).toContain('allowed is list [CACHE], show CACHE KEY, retry CACHE [KEY] or discard CACHE KEY');
    }
  });
});

test('every command of docs/observing.md does what it says', async () => {
  await sql.query('DELETE FROM scores');
  await sql.query('ALTER TABLE scores ADD CONSTRAINT scores_points_check CHECK (points >= 0)');
  await larder.cache('products').get(50);
  const commands = documentedCommands();
  expect(commands.length).toBeGreaterThan(10);
  for (const [program, ...args] of commands) {
    expect(program).toBe('larder-node');
    if ((await givenUpRows()) === 0) await larder.cache('scores').set('poor 3', { points: -1 });
    await expect.poll(givenUpRows).toBe(1);
    const { code, stdout, stderr } = await larderNode(...args);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
    expect(stdout.length).toBeGreaterThan(10);
  }
}, 120_000);

test('when a node is away its partitions are served by the other, with one copy', async () => {
  const products = larder.cache('products');
  const keys = Array.from({ length: 20 }, (_, index) => index + 10);
  for (const key of keys) await products.get(key);
  cluster.node('n2').kill();
  const status = async () => JSON.parse((await larderNode('status', ...anyNode(), '--json')).stdout);
  await expect
    .poll(async () => (await status()).partitions, { timeout: 30_000 })
    .toMatchObject({ underReplicated: 1024, waiting: 0 });
  for (const key of keys) {
    expect(await products.explain(key)).toMatchObject({ owner: 'n1', successor: undefined, state: 'present' });
  }
  const { stdout } = await larderNode('explain', ...anyNode(), 'products', '10');
  expect(stdout).toMatch(/owner n1, successor none$/m);
}, 120_000);
