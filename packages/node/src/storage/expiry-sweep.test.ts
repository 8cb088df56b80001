import { ManualClock, seededRandom } from '@larder/base';
import { EntryFlag } from '@larder/loader';
import { keySlice } from '@larder/proto';
import { beforeEach, expect, test } from 'vitest';
import { checkStorage } from './check-storage.js';
import { createStorage } from './create-storage.js';
import { type EvictionPolicyName, RemovalCause } from './storage.js';
import type { StorageEngine } from './storage-engine.js';

/** A microsecond passes whenever it is read. */
class RestlessClock extends ManualClock {
  #readings = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.#readings++ * 0.001;
  }
}

const MIB = 2 ** 20;
const VALUE = Buffer.alloc(100);
let clock: ManualClock;
let storage: StorageEngine;
let causes: RemovalCause[];

const open = (eviction: EvictionPolicyName = 'lru'): StorageEngine => {
  const caches = [{ cache: 0, memoryBytesMax: 16 * MIB, eviction }];
  const onRemoval = (_cache: number, _partition: number, _ref: number, cause: RemovalCause) => causes.push(cause);
  return createStorage(
    { memoryBytesMax: 20 * MIB, valueBytesMax: MIB, caches },
    clock,
    seededRandom(1),
    onRemoval,
  ) as StorageEngine;
};

beforeEach(() => {
  clock = new ManualClock();
  causes = [];
  storage = open();
});

const slice = (name: string) => keySlice(Buffer.from(name));
const put = (name: string, ttlMs: number, flags = 0) =>
  storage.put(0, slice(name), VALUE, 0, VALUE.length, 1, 1, ttlMs, flags);
const sweepAll = (): void => {
  while (storage.maintain(10));
};

/** Time passes as it does on a node: a sweep every 100 ms. */
const live = (ms: number): void => {
  for (let passed = 0; passed < ms; passed += 100) {
    clock.advance(100);
    sweepAll();
  }
};

test('expired entries are gone within nine seconds, others stay', () => {
  for (let index = 0; index < 5000; index++) put(`key-${index}`, (index % 100) * 1000);
  live(40_000);
  const shouldLive = Array.from({ length: 5000 }, (_, index) => (index % 100) * 1000).filter(
    (ttlMs) => ttlMs === 0 || ttlMs > 40_000,
  ).length;
  const { entries, expirations } = storage.statistics(0);
  expect(entries).toBeGreaterThanOrEqual(shouldLive);
  expect(entries).toBeLessThanOrEqual(shouldLive + 9 * 50);
  expect(expirations).toBe(5000 - entries);
  expect(causes).toEqual(Array(expirations).fill(RemovalCause.expired));
  live(70_000);
  expect(storage.statistics(0).entries).toBe(50);
  checkStorage(storage);
});

test('memory of expired entries is free again', () => {
  for (let index = 0; index < 20_000; index++) put(`key-${index}`, 5000);
  live(15_000);
  expect(storage.arena.liveWords).toBe(0);
});

test('a long life is not cut short by sweeps that come by, and is found at its end', () => {
  put('long', 3_600_000);
  live(3_590_000);
  expect(storage.peek(0, slice('long'))).not.toBe(0);
  live(20_000);
  expect(storage.statistics(0).entries).toBe(0);
});

test('a dirty entry outlives its end, and goes soon after it is clean', () => {
  put('dirty', 1000, EntryFlag.dirty);
  live(60_000);
  const ref = storage.find(0, slice('dirty'));
  expect(ref).not.toBe(0);
  expect(storage.remainingMs(ref)).toBe(1);
  storage.setFlags(ref, 0);
  expect(storage.find(0, slice('dirty'))).toBe(0);
  live(10_000);
  expect(storage.statistics(0)).toMatchObject({ entries: 0, expirations: 1 });
});

test.each(['dirty', 'of another owner'])('an entry that is %s is known to have expired after weeks', (kind) => {
  const key = slice('weeks');
  storage.setOwned(key.partition, kind === 'dirty');
  put('weeks', 1000, kind === 'dirty' ? EntryFlag.dirty : 0);
  for (let hours = 0; hours < 20 * 24; hours += 0.5) {
    clock.advance(1_800_000);
    sweepAll();
  }
  const ref = storage.peek(0, key);
  expect(ref).not.toBe(0);
  expect(storage.remainingMs(ref)).toBe(1);
  if (kind === 'dirty') storage.setFlags(ref, 0);
  else storage.setOwned(key.partition, true);
  expect(storage.peek(0, key)).toBe(0);
  live(10_000);
  expect(storage.statistics(0)).toMatchObject({ entries: 0, expirations: 1 });
});

test('a sweep stops when its time is up and says that there is more to do', () => {
  clock = new RestlessClock();
  storage = open();
  for (let index = 0; index < 3000; index++) put(`key-${index}`, 1000);
  clock.advance(10_000);
  expect(storage.maintain(0.001)).toBe(true);
  expect(storage.statistics(0).entries).toBeGreaterThan(0);
  let steps = 1;
  while (storage.maintain(0.001)) steps++;
  expect(storage.statistics(0).entries).toBe(0);
  expect(steps).toBeGreaterThan(10);
});

test('an end that is moved, earlier or later, is heeded', () => {
  put('sooner', 3_600_000);
  put('later', 5000);
  put('never', 5000);
  storage.expire(0, slice('sooner'), 3000);
  storage.expire(0, slice('later'), 60_000);
  storage.expire(0, slice('never'), 0);
  live(20_000);
  expect(storage.statistics(0)).toMatchObject({ entries: 2, expirations: 1 });
  live(60_000);
  expect(storage.statistics(0)).toMatchObject({ entries: 1, expirations: 2 });
  expect(storage.remainingMs(storage.peek(0, slice('never')))).toBe(-1);
});
