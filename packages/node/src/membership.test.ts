import { afterEach, describe, expect, test } from 'vitest';
import { Membership } from './membership.js';
import { ClusterInProcess } from './testing/cluster-in-process.js';
import { TestOrigin } from './testing/test-origin.js';

let cluster: ClusterInProcess;
afterEach(() => cluster?.close());

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

describe('a write that comes again', () => {
  test('is applied once, and told the same, while the first try waits and afterwards', async () => {
    await pair();
    const owner = cluster.ownerOf('a')!;
    const first = cluster.setNumbered(owner, 'a', 'one', 1, false);
    const second = cluster.setNumbered(owner, 'a', 'one', 1, true);
    await cluster.pass(10);
    expect([first.told, second.told]).toEqual(['written on 2', 'written on 2']);
    cluster.set(owner, 'a', 'two');
    await cluster.pass(10);
    expect(cluster.setNumbered(owner, 'a', 'one', 1, true).told).toBe('written on 2');
    expect(cluster.get(owner, 'a').told).toBe('value two');
  });

  test('is known to whoever takes over', async () => {
    await pair();
    const owner = cluster.ownerOf('a')!;
    cluster.setNumbered(owner, 'a', 'one', 1, false);
    await cluster.pass(10);
    cluster.crash(owner.id);
    await cluster.until(() => cluster.ownerOf('a') !== undefined);
    const heir = cluster.ownerOf('a')!;
    cluster.set(heir, 'a', 'two');
    expect(cluster.setNumbered(heir, 'a', 'one', 1, true).told).toBe('written on 1');
    expect(cluster.get(heir, 'a').told).toBe('value two');
  });
});

describe('in front of an origin', () => {
  const ORIGIN = { postgresTable: { table: 'things', key: 'id' } };

  test('write-through: a write that waits behind another of its key and comes again is carried out once, in its place', async () => {
    const origin = new TestOrigin();
    await pair({ write: 'through', origin: ORIGIN }, origin);
    const owner = cluster.ownerOf('a')!;
    origin.hold();
    cluster.setNumbered(owner, 'a', 'one', 1, false);
    const waiting = cluster.setNumbered(owner, 'a', 'two', 2, false);
    const last = cluster.set(owner, 'a', 'three');
    const again = cluster.setNumbered(owner, 'a', 'two', 2, true);
    origin.release();
    await cluster.until(() => last.told !== undefined);
    expect(again.told).toBe(waiting.told);
    expect(origin.rows.get('a')).toBe('three');
    expect(origin.writes).toBe(3);
  });

  test('write-behind: what its owner had not flushed, the next owner flushes', async () => {
    const origin = new TestOrigin();
    await pair(
      { write: 'behind', origin: ORIGIN, writeBehind: { maxDelay: '10m', flushSize: 2, maxAge: '1h' } },
      origin,
    );
    const owner = cluster.ownerOf('a')!;
    cluster.set(owner, 'a', 'one');
    await cluster.pass(10);
    cluster.crash(owner.id);
    await cluster.until(() => cluster.ownerOf('a') !== undefined);
    const heir = cluster.ownerOf('a')!;
    expect(cluster.get(heir, 'a').told).toBe('value one');
    await cluster.until(() => heir.loader.statistics().pendingWrites === 1);
    const drained = heir.loader.drain(1_000);
    await cluster.pass(50);
    expect(await drained).toBe(0);
    expect(origin.rows.get('a')).toBe('one');
  });

  test('write-behind: what is flushed is clean on the successor too', async () => {
    const origin = new TestOrigin();
    await pair({ write: 'behind', origin: ORIGIN, writeBehind: { maxDelay: 20 } }, origin);
    const owner = cluster.ownerOf('a')!;
    cluster.set(owner, 'a', 'one');
    await cluster.until(() => origin.rows.has('a'));
    await cluster.pass(20);
    cluster.crash(owner.id);
    await cluster.until(() => cluster.ownerOf('a') !== undefined);
    await cluster.pass(100);
    expect(origin.writes).toBe(1);
  });

  test('write-behind: what was flushed is clean on the successor too, although their link broke meanwhile', async () => {
    const origin = new TestOrigin();
    await pair({ write: 'behind', origin: ORIGIN, writeBehind: { maxDelay: 20 } }, origin);
    const owner = cluster.ownerOf('a')!;
    const other = cluster.otherThan(owner);
    origin.hold();
    cluster.set(owner, 'a', 'one');
    await cluster.until(() => origin.held === 1);
    cluster.cuts.add(`${owner.id}>${other.id}`);
    origin.release();
    await cluster.until(() => owner.loader.statistics().pendingWrites === 0);
    cluster.cuts.clear();
    owner.membership.opened(other.id);
    await cluster.pass(100);
    cluster.crash(owner.id);
    await cluster.until(() => cluster.ownerOf('a') !== undefined);
    await cluster.pass(10_000);
    expect(origin.writes).toBe(1);
  });

  test('write-behind: who is handed a partition fences its owner before off', async () => {
    let raises = 0;
    const fence = { raise: async () => void raises++ };
    const origin = Object.assign(new TestOrigin(), { fence });
    cluster = new ClusterInProcess({ write: 'behind', origin: ORIGIN, writeBehind: { maxDelay: 20 } }, origin);
    await cluster.start('n1');
    const keys = Array.from({ length: 20 }, (_, number) => `key ${number}`);
    for (const key of keys) cluster.set(cluster.node('n1'), key, 'one');
    await cluster.until(() => origin.rows.size === keys.length);
    expect(raises).toBe(0);
    await cluster.start('n2');
    expect(keys.some((key) => cluster.ownerOf(key)?.id === 'n2')).toBe(true);
    expect(raises).toBeGreaterThan(0);
  });

  test('write-through: an owner that dies while the database works leaves no older value behind', async () => {
    const origin = new TestOrigin();
    await pair({ read: 'through', write: 'through', origin: ORIGIN }, origin);
    const owner = cluster.ownerOf('a')!;
    cluster.set(owner, 'a', 'one');
    await cluster.until(() => cluster.stored(cluster.otherThan(owner), 'a') === 'one');
    origin.hold();
    cluster.set(owner, 'a', 'two');
    await cluster.until(() => origin.held === 1);
    expect(cluster.stored(owner, 'a')).toBe('one');
    expect(cluster.stored(cluster.otherThan(owner), 'a')).toBeUndefined();
    cluster.crash(owner.id);
    origin.release();
    await cluster.until(() => cluster.ownerOf('a') !== undefined);
    const reply = cluster.get(cluster.ownerOf('a')!, 'a');
    await cluster.until(() => reply.told !== undefined);
    expect(reply.told).toBe('value two');
  });

  test('write-through: what the database refused is on both nodes as before', async () => {
    const origin = new TestOrigin();
    await pair({ read: 'through', write: 'through', origin: ORIGIN }, origin);
    const owner = cluster.ownerOf('a')!;
    cluster.set(owner, 'a', 'one');
    await cluster.until(() => cluster.stored(cluster.otherThan(owner), 'a') === 'one');
    const refused = cluster.set(owner, 'a', 'poison');
    await cluster.until(() => refused.told !== undefined);
    expect(refused.told).toBe('ORIGIN not-applied');
    await cluster.pass(20);
    for (const node of [owner, cluster.otherThan(owner)]) expect(cluster.stored(node, 'a')).toBe('one');
  });

  test('write-through: what the database refused may be tried again at whoever takes over', async () => {
    const origin = new TestOrigin();
    await pair({ read: 'through', write: 'through', origin: ORIGIN }, origin);
    const owner = cluster.ownerOf('a')!;
    const refused = cluster.setNumbered(owner, 'a', 'poison', 1, false);
    await cluster.until(() => refused.told !== undefined);
    await cluster.pass(20);
    cluster.crash(owner.id);
    await cluster.until(() => cluster.ownerOf('a') !== undefined);
    const again = cluster.setNumbered(cluster.ownerOf('a')!, 'a', 'good', 1, false);
    await cluster.until(() => again.told !== undefined);
    expect(again.told).toBe('written on 1');
  });
});

test('a node that is slow to listen has nothing to maintain, and can leave, before it takes part', async () => {
  const membership = new Membership('n1', () => {});
  expect(membership.maintain(1)).toBe(false);
  await membership.leave();
  membership.stop();
});
