import { ManualClock, seededRandom } from '@larder/base';
import { EntryFlag, PutResult } from '@larder/loader';
import { keySlice } from '@larder/proto';
import { expect, test } from 'vitest';
import { checkStorage } from './check-storage.js';
import { createStorage } from './create-storage.js';
import { Evacuation } from './evacuation.js';
import type { StorageEngine } from './storage-engine.js';

const MIB = 2 ** 20;
const VALUE = Buffer.alloc(MIB, 'v');
/** Too large for any hole that is left below. */
const LARGE_BYTES = 12_000;
/** A little more than what fits between two large ones. */
const WANTED_BYTES = 16_000;
const SMALL_PER_GROUP = 50;

const slice = (name: string) => keySlice(Buffer.from(name));

function open(): StorageEngine {
  const caches = [{ cache: 0, memoryBytesMax: 8 * MIB, eviction: 'lru' as const }];
  const options = { memoryBytesMax: 8 * MIB, valueBytesMax: MIB, caches };
  return createStorage(options, new ManualClock(), seededRandom(1)) as StorageEngine;
}

function put(storage: StorageEngine, key: string, bytes: number, flags: number): PutResult {
  return storage.put(0, slice(key), VALUE, 0, bytes, 1, 1, 0, flags);
}

function tailBytes({ arena }: StorageEngine): number {
  return (arena.end - arena.top) * 4;
}

/**
 * A large entry, 50 small ones, a large one and so on, all pinned, up to the end of the memory; then one of 50 small ones
 * goes. What is left between two large ones is less than a large one needs, so none of them can ever move, while the small
 * ones find a hole each: whoever looks for a larger place moves them about in vain.
 */
function wedge(storage: StorageEngine, behind: (group: number) => void = () => {}): void {
  let groups = 0;
  const small = (group: number, number: number) => `small-${group}-${number}`;
  while (put(storage, `large-${groups}`, LARGE_BYTES, EntryFlag.dirty) === PutResult.stored) {
    for (let number = 0; number < SMALL_PER_GROUP; number++) put(storage, small(groups, number), 100, EntryFlag.dirty);
    behind(groups++);
  }
  let more = 0;
  for (let number = 0; tailBytes(storage) > LARGE_BYTES + 500; number += 5) {
    for (let group = 0; group < groups; group++) storage.remove(0, slice(small(group, number)));
    while (tailBytes(storage) > LARGE_BYTES + 500) {
      if (put(storage, `more-${more++}`, LARGE_BYTES, EntryFlag.dirty) !== PutResult.stored) break;
    }
  }
  for (let group = 0; group < groups; group++) storage.remove(0, slice(small(group, SMALL_PER_GROUP - 1)));
}

test('a put into memory that is wedged by pinned entries moves no more than the bound, and is refused', () => {
  const storage = open();
  wedge(storage);
  const { evictions, entries } = storage.statistics(0);
  let most = 0;
  for (let attempt = 0; attempt < 5; attempt++) {
    const before = storage.evacuation.moves;
    expect(put(storage, 'wanted', WANTED_BYTES, 0)).toBe(PutResult.full);
    most = Math.max(most, storage.evacuation.moves - before);
  }
  expect(most).toBeLessThanOrEqual(Evacuation.movesMax(WANTED_BYTES / 4 + 20));
  expect(most).toBeGreaterThan(500);
  expect(storage.statistics(0)).toMatchObject({ evictions, entries });
  checkStorage(storage);
});

test('when nothing can be moved out of the way, a place where all may be evicted is cleared, and nothing else', () => {
  const storage = open();
  const clean = Array.from({ length: 120 }, (_, index) => `clean-${index}`);
  wedge(storage, (group) => {
    if (group === 300) for (const key of clean) put(storage, key, 1000, EntryFlag.dirty);
  });
  for (const key of clean) storage.setFlags(storage.peek(0, slice(key)), 0);
  expect(storage.statistics(0).evictions).toBe(0);
  const before = storage.evacuation.moves;
  expect(put(storage, 'wanted', WANTED_BYTES, 0)).toBe(PutResult.stored);
  expect(storage.evacuation.moves - before).toBeLessThanOrEqual(Evacuation.movesMax(WANTED_BYTES / 4 + 20));
  expect(storage.valueBytes(storage.peek(0, slice('wanted')))).toBe(WANTED_BYTES);
  const { evictions } = storage.statistics(0);
  expect(evictions).toBeGreaterThan(0);
  expect(evictions).toBeLessThan(WANTED_BYTES / 1000 + 8);
  checkStorage(storage);
});
