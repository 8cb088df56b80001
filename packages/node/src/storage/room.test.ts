import { ManualClock, seededRandom } from '@larder/base';
import { EntryFlag, PutResult } from '@larder/loader';
import { keySlice, PARTITION_COUNT } from '@larder/proto';
import { expect, test } from 'vitest';
import { checkStorage } from './check-storage.js';
import { createStorage } from './create-storage.js';
import type { EvictionPolicyName } from './storage.js';
import type { StorageEngine } from './storage-engine.js';

const MIB = 2 ** 20;
const VALUE = Buffer.alloc(8 * MIB, 'v');

function open(eviction: EvictionPolicyName, nodeBytesMax: number, cacheBytesMax: number): StorageEngine {
  const caches = [{ cache: 0, memoryBytesMax: cacheBytesMax, eviction }];
  const options = { memoryBytesMax: nodeBytesMax, valueBytesMax: VALUE.length, caches };
  return createStorage(options, new ManualClock(), seededRandom(1)) as StorageEngine;
}

function put(storage: StorageEngine, key: string, bytes: number, flags: number): PutResult {
  return storage.put(0, keySlice(Buffer.from(key)), VALUE, 0, bytes, 1, 1, 0, flags);
}

test.each(['adaptive', 'lfu', 'random', 'ttl'] as const)(
  '%s: a full cache whose entries become dirty takes no more memory than before',
  (eviction) => {
    const storage = open(eviction, 8 * MIB, MIB);
    for (let index = 0; index < 20_000; index++) put(storage, `key-${index}`, 20, 0);
    const before = storage.statistics(0);
    expect(before.evictions).toBeGreaterThan(0);
    for (let index = 0; index < 20_000; index++) {
      const ref = storage.peek(0, keySlice(Buffer.from(`key-${index}`)));
      if (ref !== 0) storage.setFlags(ref, EntryFlag.dirty);
    }
    expect(storage.statistics(0)).toEqual(before);
    checkStorage(storage);
  },
);

test('a dirty value whose successor has no room beside it is kept, and nothing is evicted in vain', () => {
  const storage = open('lru', 16 * MIB, 16 * MIB);
  expect(put(storage, 'large', VALUE.length, EntryFlag.dirty)).toBe(PutResult.stored);
  for (let index = 0; index < 5000; index++) put(storage, `key-${index}`, 1000, 0);
  const before = storage.statistics(0);
  expect(before.evictions).toBe(0);
  expect(put(storage, 'large', VALUE.length, EntryFlag.dirty)).toBe(PutResult.full);
  expect(storage.statistics(0)).toEqual(before);
  checkStorage(storage);
});

test('a partition that loses its last entry while another one is written to gives its memory back', () => {
  const storage = open('lru', MIB, MIB);
  const key = keySlice(Buffer.from('key'));
  put(storage, 'key', 100, 0);
  storage.index.hold();
  storage.remove(0, key);
  storage.index.release((key.partition + 1) % PARTITION_COUNT, 0);
  expect(storage.arena.liveWords).toBe(0);
  checkStorage(storage);
});
