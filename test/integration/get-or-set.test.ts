/** Fill leases on a real cluster: the clients share nothing but the nodes, like processes of their own. */
import { deferred } from '@larder/base';
import { type CacheStatistics, connect, type Larder, LarderError } from '@larder/client';
import { keySlice } from '@larder/proto';
import { type Cluster, type NodeProcess, startCluster } from '@larder/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const CLIENTS = 20;
const CALLERS_PER_CLIENT = 500;

let cluster: Cluster;
let clients: Larder[];

beforeAll(async () => {
  cluster = await startCluster({ config: { memory: '64MiB', caches: { results: {} } } });
  clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => connect({ endpoints: cluster.endpoints, timeout: '20s' })),
  );
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await cluster.stop();
});

function results(client = 0) {
  return (clients[client] as Larder).cache<string>('results');
}

/** All callers of all clients ask at once. */
function allAsk(key: string, load: () => Promise<string>, callers = CALLERS_PER_CLIENT): Promise<string>[] {
  return clients.flatMap((_client, index) => Array.from({ length: callers }, () => results(index).getOrSet(key, load)));
}

async function count(counter: Exclude<keyof CacheStatistics, 'name'>): Promise<number> {
  const nodes = await (clients[0] as Larder).nodeStatistics();
  return nodes.reduce((sum, node) => sum + Number(node.caches[0]?.[counter]), 0);
}

/** Resolves when so many gets wait for somebody else's load. */
async function untilWaiting(before: number, waiters: number): Promise<void> {
  while ((await count('coalescedWaiters')) < before + waiters) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A call of the first client whose load has begun and ends when the test says so. */
async function heldLoad(key: string) {
  const gate = deferred<string>();
  const begun = deferred();
  const call = results(0).getOrSet(key, () => {
    begun.resolve();
    return gate.promise;
  });
  await begun.promise;
  return { gate, call };
}

function ownerOf(key: string): NodeProcess {
  const { nodes, owners } = (clients[0] as Larder).topology();
  const { partition } = keySlice(Buffer.from(key));
  return cluster.node(nodes[owners[partition] as number]?.id as string);
}

test('10,000 callers of one cold key from 20 clients are one load', async () => {
  let loads = 0;
  const values = await Promise.all(
    allAsk('cold', async () => {
      loads++;
      return 'loaded';
    }),
  );
  expect(values).toHaveLength(CLIENTS * CALLERS_PER_CLIENT);
  expect(new Set(values)).toEqual(new Set(['loaded']));
  expect(loads).toBe(1);
});

test('a large value is loaded once and reaches everybody', async () => {
  const large = 'x'.repeat(300_000);
  let loads = 0;
  const values = await Promise.all(
    allAsk(
      'large',
      async () => {
        loads++;
        return large;
      },
      3,
    ),
  );
  expect(values.every((value) => value === large)).toBe(true);
  expect(loads).toBe(1);
});

test('a load that throws frees its lease at once: another client loads', async () => {
  const before = await count('coalescedWaiters');
  const { gate, call: failing } = await heldLoad('failing');
  const next = results(1).getOrSet('failing', () => 'from the second');
  await untilWaiting(before, 1);
  gate.reject(new Error('no database here'));
  await expect(failing).rejects.toMatchObject({ code: 'LOADER' });
  expect(await next).toBe('from the second');
});

test('a client that dies in the midst of its load frees the lease at once', async () => {
  const dying = await connect({ endpoints: cluster.endpoints });
  const before = await count('coalescedWaiters');
  const loading = deferred();
  const lost = dying.cache<string>('results').getOrSet('dying', () => {
    loading.resolve();
    return new Promise<string>(() => {});
  });
  lost.catch(() => {});
  await loading.promise;
  const next = results(1).getOrSet('dying', () => 'from the survivor');
  await untilWaiting(before, 1);
  dying.destroy();
  expect(await next).toBe('from the survivor');
});

test('what was loaded before a delete is given to its callers, and does not come back after it', async () => {
  const { gate, call: loading } = await heldLoad('edited');
  await results(1).delete('edited');
  gate.resolve('before the edit');
  expect(await loading).toBe('before the edit');
  expect(await results(1).get('edited')).toBeUndefined();
  expect(await results(0).getOrSet('edited', () => 'after the edit')).toBe('after the edit');
});

test('a caller whose time is over while another one loads gets TIMEOUT, and loads nothing', async () => {
  const { gate, call: loading } = await heldLoad('slow');
  let loads = 0;
  const error = await results(1)
    .getOrSet('slow', () => `${++loads}`, { timeout: 200 })
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(LarderError);
  expect(error).toMatchObject({ code: 'TIMEOUT' });
  expect((error as LarderError).message).toContain('another caller is loading the key');
  expect(loads).toBe(0);
  gate.resolve('at last');
  expect(await loading).toBe('at last');
});

test('the owner dies while all wait for a load: at most two loads, and everybody has a value', async () => {
  const gate = deferred<string>();
  let loads = 0;
  const before = await count('coalescedWaiters');
  const calls = allAsk('failover', () => (++loads === 1 ? gate.promise : Promise.resolve('second')), 50);
  await untilWaiting(before, CLIENTS - 1);
  const owner = ownerOf('failover');
  owner.kill();
  const settled = Promise.all(calls);
  while ((await results(1).get('failover')) === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
  gate.resolve('first');
  const values = await settled;
  expect(values.every((value) => value === 'first' || value === 'second')).toBe(true);
  expect(loads).toBe(2);
  expect(await results(0).get('failover')).toBe('second');
  await owner.restart();
});
