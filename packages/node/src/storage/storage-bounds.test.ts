import { ManualClock, seededRandom } from '@larder/base';
import { EntryFlag, PutResult } from '@larder/loader';
import { keySlice, LarderError } from '@larder/proto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkStorage } from './check-storage.js';
import { createStorage } from './create-storage.js';
import type { StorageCacheOptions, StorageOptions } from './storage.js';
import type { StorageEngine } from './storage-engine.js';

const MIB = 2 ** 20;

function open(options: Partial<StorageOptions> = {}): StorageEngine {
  const caches: StorageCacheOptions[] = [{ cache: 0, memoryBytesMax: 64 * MIB, eviction: 'lru' }];
  const all = { memoryBytesMax: 64 * MIB, valueBytesMax: 8 * MIB, caches, ...options };
  return createStorage(all, new ManualClock(), seededRandom(1)) as StorageEngine;
}

const slice = (name: string) => keySlice(Buffer.from(name));

function errorOf(act: () => unknown): LarderError {
  try {
    act();
  } catch (error) {
    if (error instanceof LarderError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('options', () => {
  test.each([
    [{ memoryBytesMax: 1000 }, 'memoryBytesMax is 1000; allowed is a whole number from 1048576 to 8589934592'],
    [{ memoryBytesMax: 2 ** 34 }, 'memoryBytesMax is 17179869184'],
    [{ memoryBytesMax: Number.NaN }, 'memoryBytesMax is NaN'],
    [{ valueBytesMax: 0 }, 'valueBytesMax is 0; allowed is a whole number from 1 to 67108864'],
    [{ caches: [{ cache: 4096, memoryBytesMax: 1, eviction: 'lru' as const }] }, 'caches[0].cache is 4096'],
    [{ caches: [{ cache: 1, memoryBytesMax: 0, eviction: 'lru' as const }] }, 'caches[0].memoryBytesMax is 0'],
    [
      { caches: [1, 1].map((cache) => ({ cache, memoryBytesMax: MIB, eviction: 'lru' as const })) },
      'caches[1].cache 1 is there twice',
    ],
  ])('%j is refused by name', (options, message) => {
    const error = errorOf(() => open(options));
    expect(error.code).toBe('CONFIG');
    expect(error.message).toContain(message);
  });
});

test('calls that a node must not make are errors that say so', () => {
  const storage = open();
  const value = Buffer.alloc(10);
  const put = (cache: number, epoch: number, seq: number, flags: number) =>
    storage.put(cache, slice('key'), value, 0, 10, epoch, seq, 0, flags);
  expect(errorOf(() => put(9, 1, 1, 0))).toMatchObject({ code: 'UNKNOWN_CACHE' });
  expect(errorOf(() => storage.statistics(9))).toMatchObject({ code: 'UNKNOWN_CACHE' });
  expect(errorOf(() => put(0, 2 ** 22, 1, 0)).message).toContain('version 4194304/1 is outside of 0/0 to');
  expect(errorOf(() => put(0, 1, 2 ** 42, 0)).message).toContain('version 1/4398046511104 is outside');
  expect(errorOf(() => put(0, 1, 1, 32)).message).toContain('flags 32 are outside of 0 to 31');
  expect(errorOf(() => storage.find(0, slice('k'.repeat(4097)))).message).toContain('4097 bytes; allowed are 4096');
  expect(storage.statistics(0).entries).toBe(0);
});

test('keys and values of any length and content come back as they were', () => {
  const storage = open();
  const bytes = (maxLength: number) => fc.uint8Array({ maxLength, size: 'max' });
  fc.assert(
    fc.property(bytes(4096), bytes(40_000), fc.nat(7), fc.maxSafeNat(), (key, value, shift, seed) => {
      const frame = Buffer.alloc(shift + key.length + value.length);
      frame.set(key, shift);
      frame.set(value, shift + key.length);
      const { partition } = keySlice(key);
      const where = { bytes: frame, start: shift, end: shift + key.length, partition };
      const seq = seed % 2 ** 42;
      storage.put(0, where, frame, where.end, frame.length, seed % 2 ** 22, seq, 0, seed % 16);
      const ref = storage.find(0, keySlice(key));
      const out = Buffer.alloc(shift + value.length);
      storage.copyValue(ref, 0, value.length, out, shift);
      expect(out.subarray(shift).equals(value)).toBe(true);
      const keyOut = Buffer.alloc(storage.keyBytes(ref));
      storage.copyKey(ref, keyOut, 0);
      expect(keyOut.equals(key)).toBe(true);
      expect([storage.epoch(ref), storage.seq(ref), storage.flags(ref)]).toEqual([seed % 2 ** 22, seq, seed % 16]);
    }),
    { numRuns: 300 },
  );
  checkStorage(storage);
});

test('empty and longest keys, keys that begin alike, and the same key in two caches are different entries', () => {
  const caches = [0, 4095].map((cache) => ({ cache, memoryBytesMax: 8 * MIB, eviction: 'lru' as const }));
  const storage = open({ caches });
  const keys = ['', 'a', 'aa', 'aaa', 'aaaa', 'aaaaa', '\0', '\0\0', 'a\0', 'x'.repeat(4095), 'x'.repeat(4096)];
  for (const { cache } of caches) {
    for (const [index, key] of keys.entries()) {
      const value = Buffer.from(`${cache}/${index}`);
      expect(storage.put(cache, slice(key), value, 0, value.length, 1, 1, 0, 0)).toBe(PutResult.stored);
    }
  }
  for (const { cache } of caches) {
    for (const [index, key] of keys.entries()) {
      const ref = storage.find(cache, slice(key));
      const value = Buffer.alloc(storage.valueBytes(ref));
      storage.copyValue(ref, 0, value.length, value, 0);
      expect(value.toString()).toBe(`${cache}/${index}`);
      expect(storage.cacheOf(ref)).toBe(cache);
    }
  }
});

describe('large values', () => {
  const pattern = (bytes: number): Buffer => {
    const value = Buffer.alloc(bytes);
    for (let at = 0; at + 4 <= bytes; at += 4) value.writeUInt32LE((at * 2654435761) & 0x7fffffff, at);
    return value;
  };

  test.each([16_383, 16_384, 16_385, 32_768, 32_769, 1_000_001, 8 * MIB])(
    '%i bytes come back in any pieces',
    (bytes) => {
      const storage = open();
      const value = pattern(bytes);
      expect(storage.put(0, slice('large'), value, 0, bytes, 1, 1, 0, 0)).toBe(PutResult.stored);
      const ref = storage.find(0, slice('large'));
      const out = Buffer.alloc(bytes);
      for (let from = 0; from < bytes; from += 50_001) {
        storage.copyValue(ref, from, Math.min(bytes, from + 50_001), out, from);
      }
      expect(out.equals(value)).toBe(true);
      checkStorage(storage);
      storage.remove(0, slice('large'));
      expect(storage.arena.liveWords).toBe(0);
    },
  );

  test('a storage full of small entries takes the largest value, and gives up no more than it needs', () => {
    const storage = open();
    const small = Buffer.alloc(100);
    for (let index = 0; index < 500_000; index++) storage.put(0, slice(`small-${index}`), small, 0, 100, 1, 1, 0, 0);
    const before = storage.statistics(0);
    const value = pattern(8 * MIB);
    expect(storage.put(0, slice('large'), value, 0, value.length, 1, 1, 0, 0)).toBe(PutResult.stored);
    const after = storage.statistics(0);
    expect((after.evictions - before.evictions) * 140).toBeLessThan(1.3 * 8 * MIB);
    const out = Buffer.alloc(value.length);
    storage.copyValue(storage.find(0, slice('large')), 0, value.length, out, 0);
    expect(out.equals(value)).toBe(true);
    checkStorage(storage);
  }, 60_000);

  test('large values are overwritten and evicted whole while smaller ones come and go', () => {
    const storage = open({ memoryBytesMax: 8 * MIB, valueBytesMax: 2 * MIB });
    const random = seededRandom(4);
    const source = pattern(2 * MIB);
    const sizes = new Map<string, number>();
    for (let step = 0; step < 3000; step++) {
      const name = `key-${random.integer(200)}`;
      const bytes = random.integer(3) === 0 ? random.integer(2 * MIB) : random.integer(20_000);
      expect(storage.put(0, slice(name), source, 0, bytes, 1, 1, 0, 0)).toBe(PutResult.stored);
      sizes.set(name, bytes);
      if (step % 300 === 0) checkStorage(storage);
    }
    let found = 0;
    for (const [name, bytes] of sizes) {
      const ref = storage.peek(0, slice(name));
      if (ref === 0) continue;
      found++;
      const out = Buffer.alloc(bytes);
      expect(storage.valueBytes(ref)).toBe(bytes);
      storage.copyValue(ref, 0, bytes, out, 0);
      expect(out.equals(source.subarray(0, bytes))).toBe(true);
    }
    expect(found).toBeGreaterThan(3);
  });

  test('a value above the limit, or that its cache can never hold, is too large and changes nothing', () => {
    const caches = [{ cache: 0, memoryBytesMax: MIB, eviction: 'lru' as const }];
    const storage = open({ caches, valueBytesMax: 2 * MIB });
    const value = Buffer.alloc(3 * MIB);
    for (let index = 0; index < 1000; index++) storage.put(0, slice(`key-${index}`), value, 0, 500, 1, 1, 0, 0);
    const before = storage.statistics(0);
    for (const bytes of [MIB, 2 * MIB, 2 * MIB + 1, 3 * MIB]) {
      expect(storage.put(0, slice('key-1'), value, 0, bytes, 1, 1, 0, 0)).toBe(PutResult.tooLarge);
    }
    expect(storage.statistics(0)).toEqual(before);
    expect(storage.valueBytes(storage.peek(0, slice('key-1')))).toBe(500);
  });
});

describe('the bound of the node', () => {
  const caches = [0, 1, 2].map((cache) => ({ cache, memoryBytesMax: 4 * MIB, eviction: 'lru' as const }));
  const value = Buffer.alloc(1000);

  test('holds although the caches are promised more than there is, and the fullest cache gives', () => {
    const storage = open({ memoryBytesMax: 6 * MIB, caches });
    for (let index = 0; index < 6000; index++) storage.put(0, slice(`a-${index}`), value, 0, 1000, 1, 1, 0, 0);
    const alone = storage.statistics(0).entries;
    for (let index = 0; index < 6000; index++) storage.put(1, slice(`b-${index}`), value, 0, 1000, 1, 1, 0, 0);
    for (let index = 0; index < 500; index++) storage.put(2, slice(`c-${index}`), value, 0, 1000, 1, 1, 0, 0);
    expect(storage.memoryBytes).toBeLessThanOrEqual(6 * MIB);
    const [a, b, c] = caches.map(({ cache }) => storage.statistics(cache).entries);
    expect(alone).toBeGreaterThan(3500);
    expect(c).toBe(500);
    expect(Math.abs(a! - b!)).toBeLessThan(0.1 * (a! + b!));
    checkStorage(storage);
  });

  test('an entry that would need what is pinned is refused, and nothing is evicted for it', () => {
    const storage = open({ memoryBytesMax: 6 * MIB, caches });
    for (let index = 0; index < 3000; index++) {
      storage.put(0, slice(`a-${index}`), value, 0, 1000, 1, 1, 0, EntryFlag.dirty);
    }
    for (let index = 0; index < 1000; index++) storage.put(1, slice(`b-${index}`), value, 0, 1000, 1, 1, 0, 0);
    const before = storage.statistics(1);
    expect(storage.put(1, slice('large'), Buffer.alloc(3 * MIB), 0, 3 * MIB, 1, 1, 0, 0)).toBe(PutResult.full);
    expect(storage.statistics(1)).toEqual(before);
    checkStorage(storage);
  });
});
