import { ManualClock, seededRandom } from '@larder/base';
import { EntryFlag, PutResult } from '@larder/loader';
import { keySlice } from '@larder/proto';
import { beforeEach, describe, expect, test } from 'vitest';
import { checkStorage } from '../check-storage.js';
import { createStorage } from '../create-storage.js';
import type { EvictionPolicyName } from '../storage.js';
import type { StorageEngine } from '../storage-engine.js';

const POLICIES: EvictionPolicyName[] = ['adaptive', 'lru', 'lfu', 'fifo', 'ttl', 'random'];
const MIB = 2 ** 20;
const VALUE = Buffer.alloc(5000, 'v');

/** What every policy promises, whatever it prefers. */
describe.each(POLICIES)('%s', (eviction) => {
  let storage: StorageEngine;
  let evicted: string[];
  let clock: ManualClock;

  beforeEach(() => {
    evicted = [];
    clock = new ManualClock();
    const options = {
      memoryBytesMax: 2 * MIB,
      valueBytesMax: MIB,
      caches: [{ cache: 3, memoryBytesMax: MIB, eviction }],
    };
    storage = createStorage(options, clock, seededRandom(5), (_cache, _partition, ref) => {
      const key = Buffer.alloc(storage.keyBytes(ref));
      storage.copyKey(ref, key, 0);
      evicted.push(key.toString());
    }) as StorageEngine;
  });

  const put = (key: string, bytes = 1000, flags = 0, ttlMs = 0): PutResult =>
    storage.put(3, keySlice(Buffer.from(key)), VALUE, 0, bytes, 1, 1, ttlMs, flags);
  const has = (key: string): boolean => storage.peek(3, keySlice(Buffer.from(key))) !== 0;
  const fill = (count: number, flags = 0): void => {
    for (let index = 0; index < count; index++) expect(put(`key-${index}`, 1000, flags)).toBe(PutResult.stored);
  };

  test('nothing is evicted while there is room', () => {
    fill(700);
    expect(evicted).toEqual([]);
    expect(storage.statistics(3)).toMatchObject({ entries: 700, evictions: 0 });
  });

  test('a full cache evicts, keeps to its bound and uses nearly all of it', () => {
    fill(3000);
    const { entries, bytes, evictions } = storage.statistics(3);
    expect(entries + evictions).toBe(3000);
    expect(evicted).toHaveLength(evictions);
    expect(bytes).toBeLessThanOrEqual(MIB);
    expect(bytes).toBeGreaterThan(0.97 * MIB);
    checkStorage(storage);
  });

  test('dirty entries stay whatever comes; when they are clean again they can go', () => {
    fill(300, EntryFlag.dirty);
    for (let index = 0; index < 3000; index++) put(`later-${index}`);
    for (let index = 0; index < 300; index++) expect(has(`key-${index}`)).toBe(true);
    for (let index = 0; index < 300; index++) {
      storage.setFlags(storage.peek(3, keySlice(Buffer.from(`key-${index}`))), 0);
    }
    checkStorage(storage);
    for (let index = 0; index < 600; index++) put(`large-${index}`, 5000, EntryFlag.dirty);
    const { entries, bytes } = storage.statistics(3);
    expect(bytes).toBeLessThanOrEqual(MIB);
    expect(entries).toBeLessThan(MIB / 5000 + 10);
    checkStorage(storage);
  });

  test('a cache full of dirty entries refuses, and evicts nothing for it', () => {
    let stored = 0;
    while (put(`key-${stored}`, 1000, EntryFlag.dirty) === PutResult.stored) stored++;
    put('clean', 10);
    const before = storage.statistics(3);
    expect(put('one-more')).toBe(PutResult.full);
    expect(put('key-0', 5000, EntryFlag.dirty)).toBe(PutResult.full);
    expect(storage.statistics(3)).toEqual(before);
    expect(storage.valueBytes(storage.peek(3, keySlice(Buffer.from('key-0'))))).toBe(1000);
    expect(has('one-more')).toBe(false);
  });

  test('entries that are overwritten with other sizes and lives, read and deleted leave the accounts right', () => {
    const random = seededRandom(1);
    for (let step = 0; step < 20_000; step++) {
      const key = `key-${random.integer(1500)}`;
      const dice = random.integer(10);
      if (dice < 5) put(key, random.integer(3000), dice === 0 ? EntryFlag.dirty : 0, dice === 1 ? 5000 : 0);
      else if (dice < 7) storage.find(3, keySlice(Buffer.from(key)));
      else if (dice < 8) storage.remove(3, keySlice(Buffer.from(key)));
      else if (dice < 9) storage.expire(3, keySlice(Buffer.from(key)), random.integer(2) * 90_000);
      else {
        const ref = storage.peek(3, keySlice(Buffer.from(key)));
        if (ref !== 0) storage.setFlags(ref, 0);
      }
      if (step % 100 === 0) clock.advance(10);
      if (step % 1000 === 0) checkStorage(storage);
    }
    checkStorage(storage);
  });

  test('when all entries have been deleted nothing is left, and the cache can be filled again', () => {
    fill(3000);
    for (let index = 0; index < 3000; index++) storage.remove(3, keySlice(Buffer.from(`key-${index}`)));
    expect(storage.statistics(3).entries).toBe(0);
    expect(storage.arena.liveWords).toBe(0);
    fill(3000);
    checkStorage(storage);
  });
});
