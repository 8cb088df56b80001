import { afterEach, describe, expect, test } from 'vitest';
import { ClusterInProcess } from './testing/cluster-in-process.js';

let cluster: ClusterInProcess;
afterEach(() => cluster.close());

async function pair(...options: ConstructorParameters<typeof ClusterInProcess>): Promise<ClusterInProcess> {
  cluster = new ClusterInProcess(...options);
  await cluster.start('n1', 'n2');
  return cluster;
}

describe('a write', () => {
  test('is answered when the successor has it too', async () => {
    await pair();
    const owner = cluster.ownerOf('a')!;
    const reply = cluster.set(owner, 'a', 'one');
    expect(reply.told).toBeUndefined();
    await cluster.pass(10);
    expect(reply.told).toBe('written on 2');
    expect(cluster.stored(cluster.otherThan(owner), 'a')).toBe('one');
  });

  test('is not seen by readers before, but held for them', async () => {
    await pair();
    const owner = cluster.ownerOf('a')!;
    cluster.set(owner, 'a', 'one');
    const early = cluster.get(owner, 'a');
    expect(early.told).toBeUndefined();
    await cluster.pass(10);
    expect(early.told).toBe('value one');
    expect(cluster.get(owner, 'a').told).toBe('value one');
    cluster.delete(owner, 'a');
    const miss = cluster.get(owner, 'a');
    expect(miss.told).toBeUndefined();
    await cluster.pass(10);
    expect(miss.told).toBe('miss');
  });

  test('that need not wait for the successor is answered at once', async () => {
    await pair();
    expect(cluster.set(cluster.ownerOf('a')!, 'a', 'one', true).told).toBe('written on 1');
  });

  test('survives its owner', async () => {
    await pair();
    const owner = cluster.ownerOf('a')!;
    cluster.set(owner, 'a', 'one');
    await cluster.pass(10);
    cluster.crash(owner.id);
    await cluster.until(() => cluster.ownerOf('a') !== undefined);
    expect(cluster.get(cluster.ownerOf('a')!, 'a').told).toBe('value one');
  });

  test('whose owner is cut off with it is unknown, and its copy is thrown away', async () => {
    await pair();
    const owner = cluster.ownerOf('a')!;
    const other = cluster.otherThan(owner);
    cluster.cuts.add(`${owner.id}>${other.id}`).add(`${other.id}>${owner.id}`);
    // The view store is reached by both: the owner drops its silent successor and goes on alone.
    const reply = cluster.set(owner, 'a', 'one');
    await cluster.until(() => reply.told !== undefined);
    expect(reply.told).toBe('written on 1');
  });
});

test('a write in the place of an entry that has expired stays on the successor', async () => {
  await pair({ write: 'memory', ttl: '100ms', jitter: 0 });
  await cluster.until(() => cluster.ownerOf('a') !== undefined);
  const owner = cluster.ownerOf('a')!;
  for (const value of ['one', 'two', 'three']) {
    cluster.set(owner, 'a', value);
    await cluster.pass(10);
    expect(cluster.stored(cluster.otherThan(owner), 'a')).toBe(value);
    await cluster.pass(120);
  }
});

test('what the owner evicts or lets expire goes on the successor as well', async () => {
  await pair({ write: 'memory', ttl: '5s', jitter: 0 });
  const owner = cluster.ownerOf('a')!;
  cluster.set(owner, 'a', 'one');
  await cluster.pass(10);
  expect(cluster.stored(cluster.otherThan(owner), 'a')).toBe('one');
  await cluster.until(() => cluster.stored(cluster.otherThan(owner), 'a') === undefined);
  expect(cluster.stored(owner, 'a')).toBeUndefined();
});
