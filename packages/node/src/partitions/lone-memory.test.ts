import { ManualClock, seededRandom } from '@larder/base';
import { EntryFlag } from '@larder/loader';
import { keySlice } from '@larder/proto';
import { expect, test } from 'vitest';
import { createStorage } from '../storage/create-storage.js';
import { LoneMemory } from './lone-memory.js';

const MEBIBYTE = 1024 ** 2;
const KEY = keySlice(Buffer.from('a'));
const VALUE = Buffer.from('value');

function memoryWithGrace(graceMs: number): { memory: LoneMemory; clock: ManualClock; lifeMs(): number | undefined } {
  const clock = new ManualClock();
  const caches = [{ cache: 0, memoryBytesMax: 8 * MEBIBYTE, eviction: 'lru' as const }];
  const options = { memoryBytesMax: 16 * MEBIBYTE, valueBytesMax: MEBIBYTE, caches, owned: true };
  const memory = new LoneMemory(
    0,
    createStorage(options, clock, seededRandom(1), () => {}),
  );
  memory.graceMs = graceMs;
  const lifeMs = (): number | undefined => {
    const ref = memory.peek(KEY);
    return ref === 0 ? undefined : memory.remainingMs(ref);
  };
  return { memory, clock, lifeMs };
}

test('an entry is kept beyond its life, with none left, and then goes', () => {
  const { memory, clock, lifeMs } = memoryWithGrace(5_000);
  memory.put(KEY, VALUE, 0, VALUE.length, 1_000, 0);
  expect(lifeMs()).toBe(1_000);
  clock.advance(999);
  expect(lifeMs()).toBe(1);
  clock.advance(1);
  expect(lifeMs()).toBe(0);
  clock.advance(4_999);
  expect(lifeMs()).toBe(0);
  clock.advance(1);
  expect(lifeMs()).toBeUndefined();
});

test('another life, and none, are shown as they were given', () => {
  const { memory, lifeMs } = memoryWithGrace(5_000);
  memory.put(KEY, VALUE, 0, VALUE.length, 1_000, 0);
  memory.expire(KEY, 7_000);
  expect(lifeMs()).toBe(7_000);
  memory.expire(KEY, 0);
  expect(lifeMs()).toBe(-1);
});

test('"no such row" has no time beyond its life, and a dirty entry is never without one', () => {
  const { memory, clock, lifeMs } = memoryWithGrace(5_000);
  memory.put(KEY, VALUE, 0, 0, 1_000, EntryFlag.negative);
  clock.advance(1_000);
  expect(lifeMs()).toBeUndefined();
  memory.put(KEY, VALUE, 0, VALUE.length, 1_000, EntryFlag.dirty);
  clock.advance(60_000);
  expect(lifeMs()).toBe(1);
});
