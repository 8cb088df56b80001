import { LarderError, OperationKind, TTL_DEFAULT, TTL_NEVER } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import type { Cache } from './cache.js';
import type { Codec } from './codecs/codec.js';
import { connectTo, startNode, startNodes } from './connection/testing/connected.js';
import { rejection } from './connection/testing/rejection.js';
import type { ScriptedNode } from './connection/testing/scripted-node.js';
import type { Key } from './keys.js';

interface City {
  readonly name: string;
  readonly population: number;
}

const BERLIN: City = { name: 'Berlin', population: 3_426_354 };
const PARIS: City = { name: 'Paris', population: 2_138_551 };

async function cities(node: ScriptedNode): Promise<Cache<City>> {
  return (await connectTo(node)).cache<City>('cities');
}

describe('single calls', () => {
  test('what was set is got, with its version, life and owner', async () => {
    const cache = await cities(await startNode());
    expect(await cache.get('berlin')).toBeUndefined();
    expect(await cache.entry('berlin')).toBeUndefined();
    const written = await cache.set('berlin', BERLIN, { ttl: '30s' });
    expect(written).toMatchObject({ version: (7n << 53n) | 1n, copies: 2 });
    expect(await cache.get('berlin')).toEqual(BERLIN);
    expect(await cache.entry('berlin')).toEqual({
      value: BERLIN,
      version: written.version,
      ttl: 30_000,
      stale: false,
      owner: 'n1',
    });
    expect(cache.name).toBe('cities');
  });

  test('null is a value and no miss', async () => {
    const larder = await connectTo(await startNode());
    const cache = larder.cache<string | null>('names');
    await cache.set('nobody', null);
    expect(await cache.get('nobody')).toBeNull();
    expect(await cache.has('nobody')).toBe(true);
  });

  test('delete says whether there was an entry', async () => {
    const cache = await cities(await startNode());
    await cache.set('berlin', BERLIN);
    expect(await cache.delete('berlin')).toBe(true);
    expect(await cache.delete('berlin')).toBe(false);
    expect(await cache.has('berlin')).toBe(false);
  });

  test('ttl tells a life, no expiry and no entry apart; expire changes it', async () => {
    const cache = await cities(await startNode());
    expect(await cache.ttl('berlin')).toBeUndefined();
    expect(await cache.expire('berlin', '1m')).toBe(false);
    await cache.set('berlin', BERLIN, { ttl: null });
    expect(await cache.ttl('berlin')).toBeNull();
    expect(await cache.expire('berlin', '1m')).toBe(true);
    expect(await cache.ttl('berlin')).toBe(60_000);
    expect(await cache.expire('berlin', null)).toBe(true);
    expect(await cache.ttl('berlin')).toBeNull();
  });

  test('each call travels as its own kind of operation, with its cache, life and waiting time', async () => {
    const node = await startNode();
    const larder = await connectTo(node);
    const cache = larder.cache<City>('cities', { ttl: '10s' });
    await cache.set('a', BERLIN);
    await cache.set('a', BERLIN, { ttl: null, timeout: '2s' });
    await cache.expire('a', 1.2);
    await cache.get('a', { timeout: 250 });
    await cache.entry('a');
    await cache.has('a');
    await cache.delete('a');
    const sent = await node.operations.takeMany(7);
    expect(sent.map(({ kind, ttlMs, timeoutMs }) => [kind, ttlMs, timeoutMs])).toEqual([
      [OperationKind.set, 10_000, expect.any(Number)],
      [OperationKind.set, TTL_NEVER, 2_000],
      [OperationKind.expire, 2, 0],
      [OperationKind.get, TTL_DEFAULT, 250],
      [OperationKind.entry, TTL_DEFAULT, 0],
      [OperationKind.peek, TTL_DEFAULT, 0],
      [OperationKind.delete, TTL_DEFAULT, 0],
    ]);
    expect(new Set(sent.map(({ cache }) => cache))).toEqual(new Set(['cities']));
  });

  test('a write that is acknowledged by a cache without storage has no version', async () => {
    const node = await startNode();
    node.script = ([operation]) => operation?.session.send((writer) => writer.written(operation.id, 0, 0, 0));
    const cache = await cities(node);
    expect(await cache.set('audit', BERLIN)).toMatchObject({ version: 0n, copies: 0 });
  });
});

describe('bulk calls', () => {
  test('getMany gives what is there by key text, setMany and deleteMany say what they did', async () => {
    const cache = await cities(await startNode());
    const written = await cache.setMany([
      ['berlin', PARIS],
      [['fr', 75], PARIS],
      ['berlin', BERLIN],
    ]);
    expect([...written.keys()]).toEqual(['berlin', '["fr",75]']);
    expect(await cache.getMany(['berlin', 'nowhere', ['fr', 75], 'berlin'])).toEqual(
      new Map([
        ['berlin', BERLIN],
        ['["fr",75]', PARIS],
      ]),
    );
    expect(await cache.deleteMany(['berlin', 'nowhere', 'berlin'])).toBe(1);
    expect(await cache.getMany([])).toEqual(new Map());
    expect(await cache.setMany(new Map<Key, City>())).toEqual(new Map());
  });

  test('keys of one call go each to their owner', async () => {
    const nodes = await startNodes(3);
    const cache = await cities(nodes[0] as ScriptedNode);
    const keys = Array.from({ length: 60 }, (_, index) => `city-${index}`);
    await cache.setMany(keys.map((key) => [key, BERLIN] as const));
    expect((await cache.getMany(keys)).size).toBe(60);
    const counts = nodes.map((node) => node.store.entries.size);
    expect(counts.reduce((sum, count) => sum + count)).toBe(60);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  test('one failed key makes the call a BATCH error that holds the outcome of every key', async () => {
    const node = await startNode();
    node.script = (operations) => {
      for (const operation of operations) {
        if (operation.key === 'bad')
          operation.session.failed(operation, new LarderError('ORIGIN', 'a constraint', { outcome: 'not-applied' }));
        else node.behave([operation]);
      }
    };
    const cache = await cities(node);
    const error = await rejection(
      cache.setMany([
        ['good', BERLIN],
        ['bad', PARIS],
      ]),
    );
    expect(error).toMatchObject({ code: 'BATCH', outcome: undefined, retryable: false });
    expect(error.message).toContain("1 of 2 keys failed, the first, 'bad', with ORIGIN: a constraint");
    const outcomes = error.details?.outcomes as Map<string, { ok: boolean }>;
    expect(outcomes.get('good')).toMatchObject({ ok: true, value: { copies: 2 } });
    expect(outcomes.get('bad')).toMatchObject({ ok: false, error: { code: 'ORIGIN', node: 'n1' } });
    expect(await rejection(cache.getMany(['good', 'bad']))).toMatchObject({ code: 'BATCH', outcome: undefined });
    expect(await rejection(cache.deleteMany(['good', 'bad']))).toMatchObject({ code: 'BATCH' });
  });

  test('a write of unknown fate makes the whole BATCH unknown', async () => {
    const node = await startNode();
    node.script = (operations) => {
      for (const operation of operations) {
        const outcome = operation.key === 'lost' ? 'unknown' : 'not-applied';
        operation.session.failed(operation, new LarderError('TIMEOUT', 'too slow', { outcome }));
      }
    };
    const error = await rejection(
      (await cities(node)).setMany([
        ['refused', BERLIN],
        ['lost', PARIS],
      ]),
    );
    expect(error).toMatchObject({ code: 'BATCH', outcome: 'unknown' });
  });

  test('a BATCH is not-applied only if no key of it was written', async () => {
    const cache = await cities(await startNode());
    const nothing = undefined as unknown as City;
    const some = await rejection(
      cache.setMany([
        ['a', BERLIN],
        ['b', nothing],
      ]),
    );
    expect(some).toMatchObject({ code: 'BATCH', outcome: undefined });
    const none = await rejection(
      cache.setMany([
        ['a', nothing],
        ['b', nothing],
      ]),
    );
    expect(none).toMatchObject({ code: 'BATCH', outcome: 'not-applied' });
  });

  test.each([
    ['abc', /keys is 'abc'; allowed is an array or iterable of keys/],
    [5, /keys is 5;/],
    [{ a: 1 }, /keys is \{ a: 1 \};/],
  ])('keys that are no list of keys are refused: %#', async (keys, message) => {
    const cache = await cities(await startNode());
    for (const call of [cache.getMany(keys as Iterable<Key>), cache.deleteMany(keys as Iterable<Key>)]) {
      const error = await rejection(call);
      expect(error.code).toBe('BAD_ARGUMENT');
      expect(error.message).toMatch(message);
    }
  });

  test.each([
    [
      { berlin: BERLIN },
      /items is \{ berlin: \[Object\] \}; allowed is a Map, or an array or iterable of \[key, value\]/,
    ],
    ['ab', /items is 'ab'; allowed/],
    [['ab'], /items holds 'ab'; allowed is \[key, value\]/],
  ])('items that are no list of pairs are refused: %#', async (items, message) => {
    const node = await startNode();
    const error = await rejection((await cities(node)).setMany(items as unknown as [Key, City][]));
    expect(error).toMatchObject({ code: 'BAD_ARGUMENT', outcome: 'not-applied' });
    expect(error.message).toMatch(message);
    expect(node.operations.length).toBe(0);
  });

  test('a key that is none fails the call before anything is sent', async () => {
    const node = await startNode();
    const cache = await cities(node);
    const error = await rejection(
      cache.setMany([
        ['good', BERLIN],
        [Number.NaN, PARIS],
      ]),
    );
    expect(error).toMatchObject({ code: 'BAD_ARGUMENT', outcome: 'not-applied' });
    expect(node.operations.length).toBe(0);
  });
});

describe('mistakes of the caller', () => {
  test.each([
    [0, /^BAD_ARGUMENT: ttl is 0; allowed are more than 0/],
    [-1, /^BAD_ARGUMENT: ttl is -1; allowed are milliseconds as a number, or a string/],
    [Number.NaN, /^BAD_ARGUMENT: ttl is NaN; allowed are milliseconds/],
    [Number.POSITIVE_INFINITY, /^BAD_ARGUMENT: ttl is Infinity; allowed are milliseconds/],
    ['5 parsecs', /^BAD_ARGUMENT: ttl is '5 parsecs'; allowed are milliseconds/],
    ['100000000d', /^BAD_ARGUMENT: ttl is '100000000d'; allowed are more than 0 up to 1099511627776 ms/],
    [5n, /^BAD_ARGUMENT: ttl is 5n; allowed are milliseconds/],
    [{}, /^BAD_ARGUMENT: ttl is \{\}; allowed are milliseconds/],
  ])('a ttl of %s is refused by set, expire and cache, and nothing is sent', async (ttl, message) => {
    const node = await startNode();
    const larder = await connectTo(node);
    const cache = larder.cache<City>('cities');
    for (const call of [cache.set('a', BERLIN, { ttl: ttl as number }), cache.expire('a', ttl as number)]) {
      const error = await rejection(call);
      expect(error.message).toMatch(message);
      expect(error.outcome).toBe('not-applied');
    }
    expect(() => larder.cache('cities', { ttl: ttl as number })).toThrow(message);
    expect(node.operations.length).toBe(0);
  });

  test('expire needs a ttl', async () => {
    const cache = await cities(await startNode());
    expect((await rejection(cache.expire('a', undefined as unknown as null))).message).toMatch(/ttl is undefined/);
  });

  test.each([0, -5, '11m', 'soon', Number.NaN])('a timeout of %s is refused', async (timeout) => {
    const cache = await cities(await startNode());
    const error = await rejection(cache.get('a', { timeout }));
    expect(error.message).toMatch(/^BAD_ARGUMENT: timeout is .*; allowed are /);
  });

  test('undefined cannot be stored: it would read as a miss', async () => {
    const cache = await cities(await startNode());
    const error = await rejection(cache.set('a', undefined as unknown as City));
    expect(error).toMatchObject({ code: 'BAD_ARGUMENT', outcome: 'not-applied' });
    expect(error.message).toContain('value is undefined, which means a miss; store null or delete the key');
  });

  test('options that are no object are refused: a ttl in their place would be passed over', async () => {
    const cache = await cities(await startNode());
    const error = await rejection(cache.set('a', BERLIN, 60 as unknown as object));
    expect(error).toMatchObject({ code: 'BAD_ARGUMENT', outcome: 'not-applied' });
    expect(error.message).toContain("options is 60; allowed is an object like { ttl: '30s' }");
    expect((await rejection(cache.get('a', null as unknown as object))).message).toContain('options is null');
    expect(await cache.has('a')).toBe(false);
  });

  test('an option of a cache that there is not is refused', async () => {
    const larder = await connectTo(await startNode());
    expect(() => larder.cache('cities', { tll: '5s' } as object)).toThrow(
      "BAD_ARGUMENT: cache has no option 'tll'; there are codec, ttl",
    );
  });

  test('getOrSet needs a function, also for a hit', async () => {
    const cache = await cities(await startNode());
    await cache.set('a', BERLIN);
    const error = await rejection(cache.getOrSet('a', BERLIN as unknown as () => City));
    expect(error.code).toBe('BAD_ARGUMENT');
    expect(error.message).toMatch(/load is \{ name: 'Berlin'.*; allowed is a function/);
  });

  test('a signal that is none is refused', async () => {
    const cache = await cities(await startNode());
    const error = await rejection(cache.get('a', { signal: 'stop' as unknown as AbortSignal }));
    expect(error.message).toBe("BAD_ARGUMENT: signal is 'stop'; allowed is an AbortSignal");
  });

  test.each([
    ['', /key is empty/],
    ['x'.repeat(4097), /key has 4097 bytes; allowed are 1 to 4096/],
    ['\ud800', /half of a surrogate pair/],
    [Number.NaN, /key is NaN; allowed are strings/],
    [undefined, /key is undefined/],
    [null, /key is null/],
    [{ id: 1 }, /key is \{ id: 1 \}/],
    [Buffer.from('a'), /key is <Buffer 61>/],
    [[['nested']], /key is \[ 'nested' \]/],
  ])('key %#, which is none, is refused', async (key, message) => {
    const cache = await cities(await startNode());
    const error = await rejection(cache.get(key as Key));
    expect(error.code).toBe('BAD_ARGUMENT');
    expect(error.message).toMatch(message);
  });
});

describe('codecs', () => {
  const failing: Codec<string> = {
    name: 'failing',
    encode: (value) => {
      if (value === 'unspeakable') throw new Error('no word for it');
      return Buffer.from(value);
    },
    decode: () => {
      throw new Error('secret value inside');
    },
  };

  test('what the codec cannot encode is CODEC, certainly not applied, with its error as the cause', async () => {
    const larder = await connectTo(await startNode());
    const cache = larder.cache('names', { codec: failing });
    const error = await rejection(cache.set('a', 'unspeakable'));
    expect(error).toMatchObject({ code: 'CODEC', outcome: 'not-applied', cause: new Error('no word for it') });
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(await rejection(larder.cache('names').set('a', cycle))).toMatchObject({ code: 'CODEC' });
    expect(await rejection(larder.cache('names').set('a', () => 1))).toMatchObject({ code: 'CODEC' });
  });

  test('what it cannot decode is CODEC, names the key, and keeps the value out of the message', async () => {
    const larder = await connectTo(await startNode());
    const cache = larder.cache('names', { codec: failing });
    await cache.set('a', 'x');
    for (const call of [cache.get('a'), cache.entry('a')]) {
      const error = await rejection(call);
      expect(error).toMatchObject({
        code: 'CODEC',
        outcome: undefined,
        node: 'n1',
        cause: new Error('secret value inside'),
      });
      expect(error.message).toBe("CODEC: the value of key 'a' in cache names cannot be decoded");
    }
    expect(await cache.has('a')).toBe(true);
  });

  test('a codec that makes no bytes is found out before anything is sent', async () => {
    const larder = await connectTo(await startNode());
    const codec = { name: 'odd', encode: () => 'text' as unknown as Uint8Array, decode: () => 'text' };
    const error = await rejection(larder.cache('names', { codec }).set('a', 'x'));
    expect(error.message).toBe("CODEC: codec odd made 'text' of the value; due is a Uint8Array");
    expect(() => larder.cache('names', { codec: 'json' as unknown as Codec<string> })).toThrow(
      /BAD_ARGUMENT: codec is 'json'; allowed are/,
    );
  });
});
