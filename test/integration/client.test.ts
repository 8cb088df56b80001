/** The client against three real nodes: every call, values of every size, a node that dies and one that hangs. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { bytes, type Cache, connect, type Larder, LarderError, text } from '@larder/client';
import { type Cluster, freePorts, type NodeProcess, startCluster, untilSettled, watchForLeaks } from '@larder/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
/** Here a script finds @larder/client as a user's does. */
const FOLDER = fileURLToPath(new URL('..', import.meta.url));

interface City {
  readonly name: string;
  readonly population: number;
}

/** For tests that wait until a node has got all its copies back, on a busy machine. */
const WITH_A_SYNC_MS = 180_000;
/** Longer than any restart takes. */
const PATIENT = { timeout: '1m' } as const;
const BERLIN: City = { name: 'Berlin', population: 3_426_354 };

let leaks: ReturnType<typeof watchForLeaks>;
let cluster: Cluster;
let larder: Larder;
let cities: Cache<City>;
let blobs: Cache<Buffer>;

beforeAll(async () => {
  leaks = watchForLeaks();
  cluster = await startCluster({
    config: { memory: '256MiB', caches: { cities: {}, blobs: {}, short: { ttl: '50ms' } } },
  });
  larder = await connect({ endpoints: cluster.endpoints, timeout: '30s' });
  cities = larder.cache<City>('cities');
  blobs = larder.cache('blobs', { codec: bytes() });
});

afterAll(async () => {
  await larder.close();
  await cluster.stop();
  expect(await leaks.found()).toEqual([]);
});

async function rejection(promise: Promise<unknown>): Promise<LarderError> {
  const [settled] = await Promise.allSettled([promise]);
  if (settled?.status === 'rejected' && settled.reason instanceof LarderError) return settled.reason;
  throw new Error(`an error was due: ${JSON.stringify(settled)}`);
}

/** The first of `name-0`, `name-1`, ... that the node owns. */
async function keyOf(node: NodeProcess, name: string): Promise<string> {
  const probes = larder.cache('blobs', { codec: text() });
  for (let index = 0; ; index++) {
    const key = `${name}-${index}`;
    await probes.set(key, 'probe', { ttl: '1m' });
    if ((await probes.entry(key))?.owner === node.id) return key;
  }
}

/** Not compressible, not repetitive, the same each time. */
function pattern(length: number): Buffer {
  const value = Buffer.alloc(length);
  let block = createHash('sha256').update(String(length)).digest();
  for (let at = 0; at < length; at += block.length) {
    block.copy(value, at);
    block = createHash('sha256').update(block).digest();
  }
  return value;
}

const pause = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await pause(5);
}

test('every call does on real nodes what it says', async () => {
  const keys = Array.from({ length: 200 }, (_, index) => ['city', index] as const);
  const written = await cities.setMany(keys.map((key) => [key, { ...BERLIN, population: key[1] }] as const));
  expect(written.size).toBe(200);
  const found = await cities.getMany([...keys, 'nowhere']);
  expect(found.size).toBe(200);
  expect(found.get('["city",7]')).toEqual({ name: 'Berlin', population: 7 });

  const first = await cities.set('berlin', BERLIN, { ttl: '1m' });
  const second = await cities.set('berlin', BERLIN, { ttl: null });
  expect(second.version).toBeGreaterThan(first.version);
  const entry = await cities.entry('berlin');
  expect(entry).toMatchObject({ value: BERLIN, version: second.version, ttl: null, stale: false });
  expect(larder.topology().nodes.map(({ id }) => id)).toContain(entry?.owner);
  expect(await cities.expire('berlin', '1m')).toBe(true);
  const left = await cities.ttl('berlin');
  expect(left).toBeGreaterThan(50_000);
  expect(left).toBeLessThanOrEqual(60_000);
  expect(await cities.has('berlin')).toBe(true);
  expect(await cities.delete('berlin')).toBe(true);
  expect(await cities.delete('berlin')).toBe(false);
  expect(await cities.get('berlin')).toBeUndefined();
  expect(await cities.expire('berlin', '1m')).toBe(false);
  expect(await cities.getOrSet('berlin', () => BERLIN)).toEqual(BERLIN);
  expect(await cities.get('berlin')).toEqual(BERLIN);
  expect(await cities.deleteMany([...keys, 'nowhere'])).toBe(200);

  const owners = new Set<string>();
  for (let index = 0; index < 60; index++) {
    await cities.set(`owned-${index}`, BERLIN);
    owners.add((await cities.entry(`owned-${index}`))?.owner as string);
  }
  expect([...owners].sort()).toEqual(['n1', 'n2', 'n3']);
  expect((await larder.nodeStatistics()).map(({ nodeId }) => nodeId)).toEqual(['n1', 'n2', 'n3']);
});

test('entries expire, by the cache’s own life too', async () => {
  await cities.set('brief', BERLIN, { ttl: 30 });
  expect(await cities.ttl('brief')).toBeLessThanOrEqual(30);
  await until(async () => (await cities.get('brief')) === undefined);
  expect(await cities.has('brief')).toBe(false);
  const short = larder.cache<number>('short');
  await short.set('a', 1);
  expect(await short.ttl('a')).toBeLessThanOrEqual(50);
  await until(async () => (await short.get('a')) === undefined);
  await short.set('b', 1, { ttl: null });
  expect(await short.ttl('b')).toBeNull();
});

test('an unknown cache is named, with those that there are', async () => {
  const error = await rejection(larder.cache('citys').get('a'));
  expect(error).toMatchObject({ code: 'UNKNOWN_CACHE', retryable: false });
  expect(error.message).toContain('cities');
  expect(await rejection(larder.cache('citys').set('a', 1))).toMatchObject({ outcome: 'not-applied' });
});

describe('a value', () => {
  test.each([0, 1, 64 * KIBIBYTE - 1, 64 * KIBIBYTE, 64 * KIBIBYTE + 1, MEBIBYTE + 7, 8 * MEBIBYTE])(
    'of %i bytes comes back as it was, with its version',
    async (length) => {
      const key = `value-${length}`;
      const value = pattern(length);
      const { version } = await blobs.set(key, value, { ttl: '1m' });
      expect(value.equals((await blobs.get(key)) as Buffer)).toBe(true);
      const entry = await blobs.entry(key);
      expect(entry?.version).toBe(version);
      expect(entry?.ttl).toBeGreaterThan(0);
      expect(entry?.ttl).toBeLessThanOrEqual(60_000);
      expect(value.equals(entry?.value as Buffer)).toBe(true);
      await blobs.delete(key);
    },
  );

  test('above the bound is refused, and what was there stays', async () => {
    await blobs.set('bounded', Buffer.from('before'));
    const error = await rejection(blobs.set('bounded', Buffer.alloc(8 * MEBIBYTE + 1)));
    expect(error).toMatchObject({ code: 'TOO_LARGE', outcome: 'not-applied', retryable: false });
    expect(error.message).toContain(String(8 * MEBIBYTE));
    expect(String(await blobs.get('bounded'))).toBe('before');
  });

  test('that is large may travel beside many others, large and small', async () => {
    const large = Array.from({ length: 24 }, (_, index) => [`large-${index}`, pattern(MEBIBYTE + index)] as const);
    const small = Array.from({ length: 2_000 }, (_, index) => [`small-${index}`, pattern(100 + (index % 50))] as const);
    await Promise.all([blobs.setMany(large), blobs.setMany(small)]);
    const [largeFound, smallFound] = await Promise.all([
      blobs.getMany(large.map(([key]) => key)),
      blobs.getMany(small.map(([key]) => key)),
    ]);
    for (const [key, value] of large) expect(value.equals(largeFound.get(key) as Buffer)).toBe(true);
    for (const [key, value] of small) expect(value.equals(smallFound.get(key) as Buffer)).toBe(true);
  });
});

describe('a node', () => {
  test('that is killed: its keys are soon served by another one that has them all, those of others all the while', async () => {
    await untilSettled(cluster.endpoints);
    const node = cluster.node('n2');
    const [key, other] = [await keyOf(node, 'killed'), await keyOf(cluster.node('n1'), 'alive')];
    await blobs.set(key, Buffer.from('before'), PATIENT);
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    node.kill('SIGKILL');
    expect(await degraded).toMatchObject({ node: 'n2', error: { code: 'UNAVAILABLE' } });
    const impatient = await rejection(blobs.set(key, Buffer.from('x'), { timeout: 50 }));
    expect(impatient).toMatchObject({ code: 'UNAVAILABLE', node: 'n2', retryable: true, outcome: 'not-applied' });
    const calls = [blobs.get(key, PATIENT), blobs.set(key, Buffer.from('after'), PATIENT), blobs.get(key, PATIENT)];
    await blobs.set(other, Buffer.from('served'));
    expect(String(await blobs.get(other))).toBe('served');
    const [before, , after] = await Promise.all(calls);
    expect([String(before), String(after)]).toEqual(['before', 'after']);
    expect((await blobs.entry(key, PATIENT))?.owner).not.toBe('n2');
    await node.restart();
    expect(String(await blobs.get(key, PATIENT))).toBe('after');
  });

  test(
    'that is killed under load and started again: no call fails',
    async () => {
      await untilSettled(cluster.endpoints);
      const node = cluster.node('n3');
      let stop = false;
      let done = 0;
      const callers = Array.from({ length: 64 }, async (_, caller) => {
        for (let turn = 0; !stop; turn++, done++) {
          const key = `load-${caller}-${turn % 50}`;
          await blobs.set(key, pattern(50), PATIENT);
          await blobs.get(key, PATIENT);
        }
      });
      await until(async () => done > 1_000);
      node.kill('SIGKILL');
      await node.restart();
      const before = done;
      await until(async () => done > before + 1_000);
      stop = true;
      await Promise.all(callers);
    },
    WITH_A_SYNC_MS,
  );

  test('that is stopped and started again, as in an upgrade: no read fails', async () => {
    const node = cluster.node('n1');
    let stop = false;
    let reads = 0;
    const callers = Array.from({ length: 16 }, async (_, caller) => {
      for (let turn = 0; !stop; turn++, reads++) await blobs.get(`upgrade-${caller}-${turn % 20}`);
    });
    await until(async () => reads > 500);
    await node.restart();
    const before = reads;
    await until(async () => reads > before + 500);
    stop = true;
    await Promise.all(callers);
  });

  test('that hangs: calls time out, and are served again when it wakes', async () => {
    const node = cluster.node('n3');
    const key = await keyOf(node, 'hung');
    await blobs.set(key, Buffer.from('kept'));
    node.kill('SIGSTOP');
    try {
      const error = await rejection(blobs.set(key, Buffer.from('x'), { timeout: 150 }));
      expect(error).toMatchObject({ code: 'TIMEOUT', outcome: 'unknown', node: 'n3' });
      expect(await rejection(blobs.get(key, { timeout: 50 }))).toMatchObject({ code: 'TIMEOUT' });
    } finally {
      node.kill('SIGCONT');
    }
    await until(async () => (await blobs.get(key)) !== undefined);
  });
});

/** Runs a script as a user would and tells how it ended. */
async function run(code: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const path = join(FOLDER, `.client-${process.pid}.mjs`);
  writeFileSync(path, `import { connect, LarderError } from '@larder/client';\n${code}`);
  try {
    const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr, [exitCode]] = await Promise.all([
      readText(child.stdout),
      readText(child.stderr),
      once(child, 'exit'),
    ]);
    return { code: exitCode as number | null, stdout, stderr };
  } finally {
    rmSync(path);
  }
}

describe('a script', () => {
  test('ends by itself after close', async () => {
    const { code, stderr } = await run(`
      const larder = await connect({ endpoints: '${cluster.endpoints.join(',')}' });
      await larder.cache('cities').set('a', { name: 'A' });
      await larder.cache('blobs').set('b', 'x'.repeat(200_000));
      await larder.close();`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('that waits for a cluster which is not there gets its error, and does not just end', async () => {
    const [port] = await freePorts(1);
    const { code, stdout, stderr } = await run(`
      try {
        await connect({ endpoints: '127.0.0.1:${port}', connectTimeout: 400 });
      } catch (error) {
        console.log(error instanceof LarderError, error.code);
      }`);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'true UNAVAILABLE\n', stderr: '' });
  });

  test('that waits for a node to come back is kept alive until its call is settled', async () => {
    const [port] = await freePorts(1);
    const { code, stdout, stderr } = await run(`
      const { LarderError: _, ...rest } = await import('@larder/client');
      const larder = await connect({ endpoints: '${cluster.endpoints[0]}' });
      const { Larder } = await import('${new URL('../../packages/client/dist/larder.js', import.meta.url).href}');
      const { resolveConnectOptions } = await import('${new URL('../../packages/client/dist/options.js', import.meta.url).href}');
      const view = { ...larder.topology(), nodes: [{ id: 'gone', address: '127.0.0.1:${port}' }], owners: new Uint16Array(1024) };
      await larder.close();
      const lost = new Larder(view, resolveConnectOptions({ endpoints: '127.0.0.1:${port}', timeout: 400 }));
      try {
        await lost.cache('cities').get('a');
      } catch (error) {
        console.log(error.code, error.node);
      }
      lost.destroy();`);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'UNAVAILABLE gone\n', stderr: '' });
  });

  test(
    'ends by itself also when a node hangs',
    async () => {
      const node = cluster.node('n2');
      await untilSettled(cluster.endpoints);
      const key = await keyOf(node, 'script');
      try {
        // It stops the node itself, at a moment after which nobody can have taken its place yet.
        const { code, stdout } = await run(`
        const larder = await connect({ endpoints: '${cluster.endpoints[0]}' });
        const cache = larder.cache('blobs');
        await cache.has('${key}');
        process.kill(${node.pid}, 'SIGSTOP');
        await cache.get('${key}', { timeout: 100 }).catch((error) => console.log(error.code));
        larder.destroy();`);
        expect({ code, stdout }).toEqual({ code: 0, stdout: 'TIMEOUT\n' });
      } finally {
        node.kill('SIGCONT');
      }
    },
    WITH_A_SYNC_MS,
  );
});
