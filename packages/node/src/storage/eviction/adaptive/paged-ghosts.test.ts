import { ManualClock, seededRandom } from '@larder/base';
import { keySlice } from '@larder/proto';
import { expect, test } from 'vitest';
import { checkStorage } from '../../check-storage.js';
import { createStorage } from '../../create-storage.js';
import { PAGE_WORDS } from '../../policy-pages.js';
import type { StorageEngine } from '../../storage-engine.js';

const BOUND = 4 * 2 ** 20;
/** So little more than the cache's bound that shifting sizes need the evacuation, and enough for the cache to fill first. */
const NODE_BOUND = Math.floor(1.08 * BOUND);

function open(): StorageEngine {
  const caches = [{ cache: 0, memoryBytesMax: BOUND, eviction: 'adaptive' as const }];
  const options = { memoryBytesMax: NODE_BOUND, valueBytesMax: 2 ** 20, caches };
  return createStorage(options, new ManualClock(), seededRandom(1)) as StorageEngine;
}

const VALUE = Buffer.alloc(20_000);
const put = (storage: StorageEngine, key: number, bytes: number) =>
  storage.put(0, keySlice(Buffer.from(`key-${key}`)), VALUE, 0, bytes, 1, 1, 0, 0);

test('pages of ghosts follow the number of entries up and down, move out of the way, and go with the last entry', () => {
  const storage = open();
  const policy = storage.residents.space(0).policy;
  const pages = (): number => Math.floor(policy.pageBytes / (4 * PAGE_WORDS));
  let key = 0;
  while (storage.statistics(0).evictions === 0) put(storage, key++, 20);
  expect(pages()).toBe(1);
  for (let count = 0; count < 100; count++) put(storage, key++, 20);
  const { entries } = storage.statistics(0);
  expect(pages()).toBe(Math.floor((2 * entries) / PAGE_WORDS));
  expect(pages()).toBeGreaterThan(10);
  checkStorage(storage);

  const movesBefore = storage.evacuation.moves;
  for (let count = 0; count < 2000; count++) put(storage, key++, 3000 + (count % 17) * 1000);
  const fewer = storage.statistics(0).entries;
  expect(fewer).toBeLessThan(entries / 4);
  expect(pages()).toBeLessThanOrEqual(Math.floor((2 * fewer) / PAGE_WORDS) + 2);
  expect(storage.evacuation.moves).toBeGreaterThan(movesBefore);
  checkStorage(storage);

  for (let count = 0; count < 60_000; count++) put(storage, key++, 20);
  expect(pages()).toBeGreaterThan(10);
  checkStorage(storage);
  for (let partition = 0; partition < 1024; partition++) storage.beginDrop(partition);
  while (storage.maintain(1));
  expect(pages()).toBe(0);
  expect(storage.arena.liveWords).toBe(0);
});

test('keys that were evicted are known again when they come back', () => {
  const storage = open();
  for (let key = 0; key < 60_000; key++) put(storage, key, 20);
  const { entries } = storage.statistics(0);
  const { policy } = storage.residents.space(0);
  // A key that is asked for again within the memory of the ghosts is admitted: a loop over one and a half times what fits hits.
  const loop = Math.floor(1.5 * entries);
  let hits = 0;
  let requests = 0;
  for (let round = 0; round < 12; round++) {
    for (let key = 0; key < loop; key++) {
      if (round >= 8) requests++;
      if (storage.find(0, keySlice(Buffer.from(`key-${key}`))) !== 0) hits += round >= 8 ? 1 : 0;
      else put(storage, key, 20);
    }
  }
  expect(policy.pageBytes).toBeGreaterThan(0);
  expect(hits / requests).toBeGreaterThan(0.4);
  checkStorage(storage);
}, 60_000);
