import { ManualClock, seededRandom } from '@larder/base';
import { PutResult } from '@larder/loader';
import { type KeySlice, keySlice, partitionOf } from '@larder/proto';
import { expect, test } from 'vitest';
import { checkStorage } from './check-storage.js';
import { createStorage } from './create-storage.js';
import type { StorageEngine } from './storage-engine.js';

/**
 * A month in short: the sizes of values shift, from small to large to mixed to small again, while the storage is full.
 * Memory must stay usable, and nothing of it may be lost.
 */
const BOUND = 8 * 2 ** 20;
const PHASES: readonly (readonly [number, number])[] = [
  [20, 200],
  [200, 2000],
  [20, 4000],
  [20, 80],
  [10_000, 60_000],
  [0, 1500],
];
const OPERATIONS = 400_000;
const KEYS = 200_000;

function open(): StorageEngine {
  const caches = [{ cache: 1, memoryBytesMax: BOUND, eviction: 'lru' as const }];
  const options = { memoryBytesMax: BOUND, valueBytesMax: 2 ** 20, caches };
  return createStorage(options, new ManualClock(), seededRandom(1)) as StorageEngine;
}

const key: KeySlice = keySlice(Buffer.from('key-00000000'));

function pick(number: number): KeySlice {
  const { bytes } = key;
  for (let at = 4, rest = number; at < 12; at++, rest >>>= 4) bytes[at] = 97 + (rest & 15);
  key.partition = partitionOf(bytes, 0, bytes.length);
  return key;
}

test('memory stays usable while sizes shift, and all of it comes back at the end', () => {
  const storage = open();
  const random = seededRandom(2);
  const value = Buffer.alloc(60_000, 'v');
  let refused = 0;
  for (const [least, most] of PHASES) {
    const operations = least >= 10_000 ? OPERATIONS / 10 : OPERATIONS;
    for (let operation = 0; operation < operations; operation++) {
      const bytes = least + random.integer(most - least + 1);
      const slice = pick(random.integer(KEYS));
      if (random.integer(4) === 0) storage.remove(1, slice);
      else if (storage.put(1, slice, value, 0, bytes, 1, 1, 0, 0) !== PutResult.stored) refused++;
    }
    expect(refused).toBe(0);
    checkStorage(storage);
    expect(storage.memoryBytes / BOUND).toBeGreaterThan(0.92);
    expect(storage.arena.top * 4).toBeLessThanOrEqual(BOUND);
  }
  for (let partition = 0; partition < 1024; partition++) storage.beginDrop(partition);
  while (storage.maintain(1));
  checkStorage(storage);
  expect(storage.arena.liveWords).toBe(0);
  expect(storage.arena.top).toBe(4);
}, 120_000);

test('with a tenth of the memory free, shifting sizes cost next to no evictions', () => {
  const storage = open();
  const random = seededRandom(3);
  const value = Buffer.alloc(4000, 'v');
  let sets = 0;
  for (const [least, most] of PHASES.slice(0, 4)) {
    for (let operation = 0; operation < OPERATIONS / 2; operation++) {
      const slice = pick(random.integer(KEYS));
      if (storage.memoryBytes > 0.88 * BOUND) storage.remove(1, slice);
      else {
        storage.put(1, slice, value, 0, least + random.integer(most - least + 1), 1, 1, 0, 0);
        sets++;
      }
    }
  }
  checkStorage(storage);
  expect(storage.statistics(1).evictions / sets).toBeLessThan(0.005);
}, 60_000);
