import { ManualClock, seededRandom } from '@larder/base';
import { keySlice } from '@larder/proto';
import { expect, test } from 'vitest';
import { checkStorage } from './check-storage.js';
import { createStorage } from './create-storage.js';
import type { StorageEngine } from './storage-engine.js';

const MIB = 2 ** 20;
const VALUE = Buffer.alloc(20);

function open(): StorageEngine {
  const caches = [0, 1].map((cache) => ({ cache, memoryBytesMax: 32 * MIB, eviction: 'lru' as const }));
  return createStorage(
    { memoryBytesMax: 64 * MIB, valueBytesMax: MIB, caches },
    new ManualClock(),
    seededRandom(1),
  ) as StorageEngine;
}

/** All in one partition, by their tag. */
const slice = (name: string) => keySlice(Buffer.from(`{tag}${name}`));
const { partition } = slice('');

function put(storage: StorageEngine, cache: number, name: string): void {
  storage.put(cache, slice(name), VALUE, 0, VALUE.length, 1, 1, 0, 0);
}

function keyOf(storage: StorageEngine, ref: number): string {
  const key = Buffer.alloc(storage.keyBytes(ref));
  storage.copyKey(ref, key, 0);
  return `${storage.cacheOf(ref)}${key.toString()}`;
}

test('a scan in steps visits every entry of all caches that is there throughout, whatever changes on the way', () => {
  const storage = open();
  for (let index = 0; index < 4000; index++) put(storage, index % 2, `stays-${index}`);
  for (let index = 0; index < 4000; index++) put(storage, 0, `goes-${index}`);
  const seen = new Set<string>();
  let cursor = 0;
  let steps = 0;
  do {
    let visits = 0;
    cursor = storage.scanPartition(partition, cursor, 50, (ref) => {
      seen.add(keyOf(storage, ref));
      visits++;
    });
    expect(visits).toBeLessThan(60);
    for (let change = 0; change < 40; change++) {
      put(storage, 1, `comes-${steps}-${change}`);
      storage.remove(0, slice(`goes-${steps * 40 + change}`));
    }
    steps++;
  } while (cursor !== 0);
  for (let index = 0; index < 4000; index++) expect(seen.has(`${index % 2}{tag}stays-${index}`)).toBe(true);
  checkStorage(storage);
});

test('a partition that is dropped is empty, and others are as they were', () => {
  const storage = open();
  for (let index = 0; index < 5000; index++) put(storage, index % 2, `key-${index}`);
  storage.put(0, keySlice(Buffer.from('elsewhere')), VALUE, 0, 20, 1, 1, 0, 0);
  expect(storage.entriesOfPartition(partition)).toBe(5000);
  storage.beginDrop(partition);
  expect(storage.entriesOfPartition(partition)).toBe(0);
  expect(storage.scanPartition(partition, 0, 10, () => expect.unreachable())).toBe(0);
  while (storage.maintain(1));
  expect(storage.statistics(0).entries + storage.statistics(1).entries).toBe(1);
  expect(storage.find(0, keySlice(Buffer.from('elsewhere')))).not.toBe(0);
  checkStorage(storage);
  put(storage, 0, 'again');
  expect(storage.entriesOfPartition(partition)).toBe(1);
});
