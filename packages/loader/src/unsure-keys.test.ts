import { ManualClock } from '@larder/base';
import { expect, test } from 'vitest';
import { UnsureKeys } from './unsure-keys.js';

test('a key is unsure for the given time since its last write', () => {
  const clock = new ManualClock();
  const unsure = new UnsureKeys(clock, 1000);
  unsure.add('a');
  clock.advance(600);
  unsure.add('a');
  unsure.add('b');
  clock.advance(999);
  expect(['a', 'b', 'c'].map((key) => unsure.has(key, 0))).toEqual([true, true, false]);
  clock.advance(1);
  expect(['a', 'b', 'c'].map((key) => unsure.has(key, 0))).toEqual([false, false, false]);
});

test('beyond the bound every key is unsure until the newest is over', () => {
  const clock = new ManualClock();
  const unsure = new UnsureKeys(clock, 1000);
  for (let key = 0; key <= 100_000; key++) unsure.add(`${key}`);
  expect(unsure.has('never written', 0)).toBe(true);
  clock.advance(1000);
  expect(unsure.has('100000', 0)).toBe(false);
});

test('a key is unsure while a write of it is under way, and a partition after it was taken over', () => {
  const clock = new ManualClock();
  const unsure = new UnsureKeys(clock, 1000);
  unsure.begin('a');
  unsure.addPartition(7, 500);
  expect([unsure.has('a', 1), unsure.has('b', 1), unsure.has('b', 7)]).toEqual([true, false, true]);
  unsure.end('a');
  clock.advance(1499);
  expect(unsure.has('b', 7)).toBe(true);
  clock.advance(1);
  expect([unsure.has('a', 1), unsure.has('b', 7)]).toEqual([false, false]);
});
