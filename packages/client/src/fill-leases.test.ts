import { deferred } from '@larder/base';
import { LarderError, OperationKind } from '@larder/proto';
import { expect, test } from 'vitest';
import type { Cache } from './cache.js';
import { connectTo, startNode } from './connection/testing/connected.js';
import { rejection } from './connection/testing/rejection.js';
import type { ScriptedNode } from './connection/testing/scripted-node.js';
import type { SentOperation } from './connection/testing/scripted-session.js';

/** A node that grants the given leases, one after the other, and then the last one again and again. */
async function leasing(...leases: number[]): Promise<{ node: ScriptedNode; cache: Cache<string> }> {
  const node = await startNode();
  let granted = 0;
  node.script = (operations) => {
    for (const operation of operations) {
      const { session } = operation;
      if (operation.lease) session.leased(operation, leases[Math.min(granted++, leases.length - 1)] as number);
      else if (operation.kind === OperationKind.set) session.written(operation);
      else session.send((writer) => writer.found(operation.id, true));
    }
  };
  return { node, cache: (await connectTo(node)).cache<string>('results') };
}

/** What the node was told after the gets. */
async function afterGets(node: ScriptedNode): Promise<SentOperation> {
  for (;;) {
    const operation = await node.operations.take();
    if (operation.kind !== OperationKind.get) return operation;
  }
}

test('what was loaded under a lease fills it', async () => {
  const { node, cache } = await leasing(2 ** 53 - 1);
  expect(await cache.getOrSet('a', () => 'loaded', { ttl: '1m' })).toBe('loaded');
  const { kind, key, fill, ttlMs } = await afterGets(node);
  expect({ kind, key, fill, ttlMs }).toEqual({ kind: OperationKind.set, key: 'a', fill: 2 ** 53 - 1, ttlMs: 60_000 });
});

test('callers who were told the same lease share a load, who gets another one begins anew', async () => {
  const { cache } = await leasing(7, 7, 8);
  const gates = [deferred<string>(), deferred<string>()];
  let loads = 0;
  const load = (): Promise<string> => (gates[loads++] as (typeof gates)[0]).promise;
  const calls = [cache.getOrSet('a', load), cache.getOrSet('a', load), cache.getOrSet('a', load)];
  gates[1]?.resolve('after the write');
  expect(await calls[2]).toBe('after the write');
  gates[0]?.resolve('before the write');
  expect(await Promise.all(calls)).toEqual(['before the write', 'before the write', 'after the write']);
  expect(loads).toBe(2);
});

test.each([
  ['throws', () => Promise.reject(new Error('no'))],
  ['returns undefined', () => undefined as unknown as string],
])('a load that %s gives its lease back', async (_what, load) => {
  const { node, cache } = await leasing(7);
  expect(await rejection(cache.getOrSet('a', load))).toMatchObject({ code: 'LOADER' });
  expect(await afterGets(node)).toMatchObject({ kind: OperationKind.release, key: 'a', fill: 7 });
});

test('a value that is skipped gives the lease back', async () => {
  const { node, cache } = await leasing(7);
  expect(await cache.getOrSet('a', ({ skip }) => skip('for you only'))).toBe('for you only');
  expect(await afterGets(node)).toMatchObject({ kind: OperationKind.release, fill: 7 });
});

test('a load that all callers have left gives the lease back', async () => {
  const { node, cache } = await leasing(7);
  const controller = new AbortController();
  const begun = deferred();
  const call = cache.getOrSet(
    'a',
    () => {
      begun.resolve();
      return new Promise<string>(() => {});
    },
    { signal: controller.signal },
  );
  await begun.promise;
  controller.abort();
  expect(await rejection(call)).toMatchObject({ code: 'ABORTED' });
  expect(await afterGets(node)).toMatchObject({ kind: OperationKind.release, fill: 7 });
});

test('a value that could not be stored gives the lease back and is the caller’s all the same', async () => {
  const { node, cache } = await leasing(7);
  const grants = node.script;
  node.script = (operations) => {
    const sets = operations.filter(({ kind }) => kind === OperationKind.set);
    for (const set of sets)
      set.session.failed(set, new LarderError('OUT_OF_MEMORY', 'full', { outcome: 'not-applied' }));
    if (sets.length === 0) grants(operations);
  };
  expect(await cache.getOrSet('a', () => 'loaded')).toBe('loaded');
  expect((await afterGets(node)).kind).toBe(OperationKind.set);
  expect(await afterGets(node)).toMatchObject({ kind: OperationKind.release, fill: 7 });
});

test('who waited too long for the load of another gets TIMEOUT, and does not load', async () => {
  const { node, cache } = await leasing(7);
  node.script = ([operation]) =>
    operation?.session.failed(
      operation,
      new LarderError('TIMEOUT', 'another is loading', { details: { final: true } }),
    );
  let loads = 0;
  expect(await rejection(cache.getOrSet('a', () => `${++loads}`))).toMatchObject({ code: 'TIMEOUT' });
  expect(loads).toBe(0);
});

test('a read says where it looks; another word is refused', async () => {
  const { node, cache } = await leasing(7);
  const words = ['aside', 'through', 'fresh', undefined] as const;
  for (const read of words) await cache.get('a', read === undefined ? {} : { read });
  const sent = await node.operations.takeMany(words.length);
  expect(sent.map(({ read }) => read)).toEqual([1, 2, 3, 0]);
  const wrong = { read: 'stale' as 'fresh' };
  for (const call of [cache.get('a', wrong), cache.entry('a', wrong)]) {
    expect((await rejection(call)).message).toBe(
      "BAD_ARGUMENT: read is 'stale'; allowed are 'aside', 'through' and 'fresh'",
    );
  }
});

/** The caller of `a` leaves before the node answers; another one of the same key stays if `isShared`. Returns what the node hears next. */
async function afterLeaving(isShared: boolean): Promise<SentOperation> {
  const { node, cache } = await leasing(7);
  const grants = node.script;
  const held = deferred<readonly SentOperation[]>();
  node.script = (operations) => held.resolve(operations);
  const controller = new AbortController();
  const leaving = rejection(cache.getOrSet('a', () => 'never asked', { signal: controller.signal }));
  const staying = isShared ? cache.getOrSet('a', () => 'loaded') : undefined;
  const operations = await held.promise;
  controller.abort();
  expect(await leaving).toMatchObject({ code: 'ABORTED' });
  node.script = grants;
  grants(operations);
  await staying;
  return afterGets(node);
}

test('a lease that comes when its caller has gone is given back', async () => {
  expect(await afterLeaving(false)).toMatchObject({ kind: OperationKind.release, key: 'a', fill: 7 });
});

test('but not while another caller loads under it', async () => {
  expect(await afterLeaving(true)).toMatchObject({ kind: OperationKind.set, key: 'a', fill: 7 });
});
