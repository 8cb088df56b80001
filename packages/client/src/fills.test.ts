import { deferred } from '@larder/base';
import { LarderError } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import type { Cache } from './cache.js';
import { connectTo, startNode, stoppedClock } from './connection/testing/connected.js';
import { rejection } from './connection/testing/rejection.js';
import type { ScriptedNode } from './connection/testing/scripted-node.js';
import type { Load } from './fills.js';
import type { Larder } from './larder.js';

async function connected(): Promise<{ node: ScriptedNode; larder: Larder; cache: Cache<number> }> {
  const node = await startNode();
  const larder = await connectTo(node);
  return { node, larder, cache: larder.cache<number>('numbers') };
}

test('a miss is loaded and stored, a hit is not loaded', async () => {
  const { node, cache } = await connected();
  const keys: string[] = [];
  const load: Load<number> = ({ key }) => {
    keys.push(key);
    return 7;
  };
  expect(await cache.getOrSet(['a', 1], load, { ttl: '1m' })).toBe(7);
  expect(await cache.getOrSet(['a', 1], load)).toBe(7);
  expect(keys).toEqual(['["a",1]']);
  expect(node.store.entries.get('numbers/["a",1]')).toMatchObject({ ttlMs: 60_000 });
});

test('callers of one key share one load, also through another Cache object of the same cache', async () => {
  const { larder, cache } = await connected();
  const gate = deferred<number>();
  let loads = 0;
  const load = (): Promise<number> => {
    loads++;
    return gate.promise;
  };
  const again = larder.cache<number>('numbers');
  const callers = [cache.getOrSet('a', load), cache.getOrSet('a', load), again.getOrSet('a', load)];
  const other = cache.getOrSet('b', () => 1);
  expect(await other).toBe(1);
  gate.resolve(7);
  expect(await Promise.all(callers)).toEqual([7, 7, 7]);
  expect(loads).toBe(1);
});

test('a load that fails fails all its callers with LOADER, and the next caller loads again', async () => {
  const { cache } = await connected();
  const cause = new Error('the API is down');
  const failing = async (): Promise<number> => {
    throw cause;
  };
  const errors = await Promise.all([rejection(cache.getOrSet('a', failing)), rejection(cache.getOrSet('a', failing))]);
  for (const error of errors) {
    expect(error).toMatchObject({ code: 'LOADER', cause, retryable: false });
    expect(error.message).toBe("LOADER: the load of key 'a' failed: Error: the API is down");
  }
  expect(await cache.getOrSet('a', () => 5)).toBe(5);
  const thrown = (): number => {
    throw cause;
  };
  expect(await rejection(cache.getOrSet('b', thrown))).toMatchObject({ code: 'LOADER', cause });
});

test('a load that returns undefined is LOADER', async () => {
  const { cache } = await connected();
  const error = await rejection(cache.getOrSet('a', () => undefined as unknown as number));
  expect(error.message).toBe("LOADER: the load of key 'a' returned undefined; null says that there is none");
});

test('a value that was skipped reaches the callers and is not stored', async () => {
  const { node, cache } = await connected();
  expect(await cache.getOrSet('a', ({ skip }) => skip(7))).toBe(7);
  expect(node.store.entries.size).toBe(0);
});

test('a failure to store does not hide the value, a mistake of the caller does', async () => {
  const { node, cache } = await connected();
  const behave = node.script;
  const failWith = (code: 'OUT_OF_MEMORY' | 'READ_ONLY'): void => {
    node.script = (operations) => {
      for (const operation of operations) {
        if (operation.kind === 2)
          operation.session.failed(operation, new LarderError(code, 'no', { outcome: 'not-applied' }));
        else behave([operation]);
      }
    };
  };
  failWith('OUT_OF_MEMORY');
  expect(await cache.getOrSet('a', () => 7)).toBe(7);
  failWith('READ_ONLY');
  expect(await rejection(cache.getOrSet('a', () => 7))).toMatchObject({ code: 'READ_ONLY' });
  expect(await rejection(cache.getOrSet('a', () => 7, { ttl: 0 }))).toMatchObject({ code: 'BAD_ARGUMENT' });
  expect(await rejection(cache.getOrSet('a', () => 7n as unknown as number))).toMatchObject({ code: 'CODEC' });
});

test('a caller whose signal is aborted leaves; the load ends when the last one has left', async () => {
  const { cache } = await connected();
  const gate = deferred<number>();
  const signals: AbortSignal[] = [];
  const loading = deferred();
  const load: Load<number> = ({ signal }) => {
    signals.push(signal);
    loading.resolve();
    return gate.promise;
  };
  const [first, second] = [new AbortController(), new AbortController()];
  const one = cache.getOrSet('a', load, { signal: first.signal });
  const two = cache.getOrSet('a', load, { signal: second.signal });
  await loading.promise;
  await cache.get('b');
  first.abort();
  expect(await rejection(one)).toMatchObject({ code: 'ABORTED' });
  expect(signals[0]?.aborted).toBe(false);
  second.abort();
  expect(await rejection(two)).toMatchObject({ code: 'ABORTED' });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  // Who comes next does not inherit the load that was given up.
  expect(await cache.getOrSet('a', () => 9)).toBe(9);
  gate.reject(new Error('too late for anybody'));
});

describe('while the cluster is away', () => {
  test.each(['UNAVAILABLE', 'TIMEOUT'] as const)(
    'and the get ends with %s, what was loaded is handed out',
    async (code) => {
      const clock = stoppedClock();
      const node = await startNode();
      const larder = await connectTo(node, { clock });
      const cache = larder.cache<number>('numbers');
      await cache.get('warm-up');
      await node.operations.take();
      const degraded = new Promise((resolve) => larder.on('degraded', resolve));
      node.script = () => {};
      const value = cache.getOrSet('a', ({ key }) => key.length);
      await node.operations.take();
      if (code === 'UNAVAILABLE') {
        node.kill();
        await degraded;
      }
      clock.advance(1_020);
      expect(await value).toBe(1);
      // Stored nowhere, and nothing is left to be stored later.
      expect(node.operations.length).toBe(0);
    },
  );

  test('it is not, for those who prefer the error', async () => {
    const clock = stoppedClock();
    const node = await startNode();
    const cache = (await connectTo(node, { clock })).cache<number>('numbers');
    node.script = () => {};
    let loads = 0;
    const value = cache.getOrSet('a', () => ++loads, { whileAway: 'fail' });
    await node.operations.take();
    clock.advance(1_020);
    expect(await rejection(value)).toMatchObject({ code: 'TIMEOUT' });
    expect(loads).toBe(0);
  });

  test('callers of one key share the load, and its error is LOADER', async () => {
    const clock = stoppedClock();
    const node = await startNode();
    const cache = (await connectTo(node, { clock })).cache<number>('numbers');
    node.script = () => {};
    let loads = 0;
    const fail = (): never => {
      loads++;
      throw new Error('nor is the database');
    };
    const values = [rejection(cache.getOrSet('a', fail)), rejection(cache.getOrSet('a', fail))];
    await node.operations.takeMany(2);
    clock.advance(1_020);
    for (const value of values) expect(await value).toMatchObject({ code: 'LOADER' });
    expect(loads).toBe(1);
  });

  test('other failures are passed on, and other words than load and fail are refused', async () => {
    const node = await startNode();
    const cache = (await connectTo(node)).cache<number>('numbers');
    node.script = ([operation]) =>
      operation?.session.failed(operation, new LarderError('UNKNOWN_CACHE', 'no cache numbers'));
    expect(await rejection(cache.getOrSet('a', () => 7))).toMatchObject({ code: 'UNKNOWN_CACHE' });
    const wrong = { whileAway: 'wait' as 'fail' };
    expect((await rejection(cache.getOrSet('a', () => 7, wrong))).message).toBe(
      "BAD_ARGUMENT: whileAway is 'wait'; allowed are 'load' and 'fail'",
    );
    const nothing = null as unknown as object;
    expect(await rejection(cache.getOrSet('a', () => 7, nothing))).toMatchObject({ code: 'BAD_ARGUMENT' });
  });
});
