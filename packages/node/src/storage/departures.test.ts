import { ManualClock, seededRandom } from '@larder/base';
import { MissCause } from '@larder/loader';
import { type KeySlice, keySlice } from '@larder/proto';
import { expect, it } from 'vitest';
import { createStorage } from './create-storage.js';
import { Departures } from './departures.js';
import type { Storage } from './storage.js';

const MEBIBYTE = 1024 ** 2;
const VALUE = Buffer.alloc(1_000);

function newStorage(clock = new ManualClock()): Storage {
  const caches = [0, 1].map((cache) => ({ cache, memoryBytesMax: 2 * MEBIBYTE, eviction: 'fifo' as const }));
  return createStorage({ memoryBytesMax: 8 * MEBIBYTE, valueBytesMax: MEBIBYTE, caches }, clock, seededRandom(1));
}

function key(number: number): KeySlice {
  return keySlice(Buffer.from(`key ${number}`));
}

function put(storage: Storage, number: number, ttlMs = 0): void {
  storage.put(0, key(number), VALUE, 0, VALUE.length, 1, 1, ttlMs, 0);
}

it('an entry that was evicted, has expired, was deleted or dropped is missed for that cause', () => {
  const clock = new ManualClock();
  const storage = newStorage(clock);
  for (let number = 100; number < 3_000; number++) put(storage, number);
  const firstCauses = Array.from({ length: 100 }, (_, number) => storage.missCause(0, key(100 + number)));
  expect(firstCauses.filter((cause) => cause === MissCause.evicted).length).toBeGreaterThan(70);
  expect(new Set(firstCauses).size).toBeLessThanOrEqual(2);
  expect(storage.missCause(0, key(99))).toBe(MissCause.cold);

  put(storage, 2, 1_000);
  put(storage, 3);
  storage.remove(0, key(3));
  put(storage, 4);
  storage.beginDrop(key(4).partition);
  expect(storage.missCause(0, key(4))).toBe(MissCause.moved);
  clock.advance(1_001);
  expect(storage.missCause(0, key(2))).toBe(MissCause.expired);
  for (let round = 0; round < 10; round++) {
    clock.advance(4_096);
    storage.maintain(1_000);
  }
  expect(storage.missCause(0, key(2))).toBe(MissCause.expired);
  expect(storage.missCause(0, key(3))).toBe(MissCause.invalidated);
  expect(storage.missCause(0, key(4))).toBe(MissCause.moved);
});

it('the caches of a node do not know each other’s keys', () => {
  const storage = newStorage();
  put(storage, 1);
  storage.remove(0, key(1));
  expect(storage.missCause(0, key(1))).toBe(MissCause.invalidated);
  expect(storage.missCause(1, key(1))).toBe(MissCause.cold);
});

it('an entry that is back still tells why it was away', () => {
  const storage = newStorage();
  storage.noteMissCause(0, key(1), MissCause.loadFailed);
  put(storage, 1);
  expect(storage.missCause(0, key(1))).toBe(MissCause.loadFailed);
  storage.noteMissCause(0, key(1), MissCause.cold);
  expect(storage.missCause(0, key(1))).toBe(MissCause.cold);
});

it('takes 1/256 of the memory, and counts it', () => {
  expect(new Departures(512 * MEBIBYTE).bytes).toBe(2 * MEBIBYTE);
  expect(new Departures(8 * 1024 * MEBIBYTE).bytes).toBe(16 * MEBIBYTE);
  expect(newStorage().memoryBytes).toBeGreaterThanOrEqual((8 * MEBIBYTE) / 256);
});

it('knows most of the last departures, and hardly a key that was never here', () => {
  const departures = new Departures(64 * MEBIBYTE);
  const random = seededRandom(1);
  const places = departures.bytes / 4;
  const departed = Array.from({ length: places / 4 }, () => random.uint32());
  for (const hash of departed) departures.note(hash, MissCause.evicted);
  const known = departed.filter((hash) => departures.causeOf(hash) === MissCause.evicted).length;
  expect(known / departed.length).toBeGreaterThan(0.85);
  const strangers = Array.from({ length: 100_000 }, () => random.uint32());
  const mistaken = strangers.filter((hash) => departures.causeOf(hash) !== MissCause.cold).length;
  expect(mistaken).toBeLessThan(10);
});
