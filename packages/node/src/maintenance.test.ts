import { ManualClock, seededRandom } from '@larder/base';
import { keySlice } from '@larder/proto';
import { expect, test } from 'vitest';
import { startMaintenance } from './maintenance.js';
import { createStorage } from './storage/create-storage.js';

const MEBIBYTE = 1024 ** 2;
const caches = [{ cache: 0, memoryBytesMax: 8 * MEBIBYTE, eviction: 'lru' as const }];
const ENTRIES = 2000;

function filled(clock: ManualClock) {
  const options = { memoryBytesMax: 16 * MEBIBYTE, valueBytesMax: MEBIBYTE, caches };
  const storage = createStorage(options, clock, seededRandom(1));
  for (let index = 0; index < ENTRIES; index++) {
    storage.put(0, keySlice(Buffer.from(`key:${index}`)), Buffer.alloc(10), 0, 10, 1, index + 1, 500, 0);
  }
  return storage;
}

test('what has expired is freed though nobody asks for it', async () => {
  const clock = new ManualClock();
  const storage = filled(clock);
  const stop = startMaintenance(storage, clock);
  expect(storage.statistics(0).entries).toBe(ENTRIES);
  while (storage.statistics(0).entries > 0) {
    clock.advance(100);
    await new Promise(setImmediate);
  }
  expect(storage.statistics(0).expirations).toBe(ENTRIES);
  stop();
});

test('nothing is freed, and no timer is left, once it was stopped', async () => {
  const clock = new ManualClock();
  const storage = filled(clock);
  const timers = clock.pendingCount;
  const stop = startMaintenance(storage, clock);
  expect(clock.pendingCount).toBe(timers + 2);
  stop();
  expect(clock.pendingCount).toBe(timers);
});
