import { ManualClock, seededRandom } from '@larder/base';
import { MissCause } from '@larder/loader';
import { partitionOf } from '@larder/proto';
import { expect, it } from 'vitest';
import {
  invalidationRecord,
  packedKey,
  packedValue,
  type RecordParts,
  type ReplicatedRecord,
  recordOf,
} from '../replication/record.js';
import { createStorage } from '../storage/create-storage.js';
import { OwnedPartitions } from './owned-partitions.js';
import { Removals } from './removals.js';
import { StoredCopy } from './stored-copy.js';

const MEBIBYTE = 1024 ** 2;
const SLICE_BYTES = 64 * 1024;

/** Keys of partition 0. */
function* keys(): Generator<Buffer> {
  for (let number = 0; ; number++) {
    const key = Buffer.from(`key ${number}`);
    if (partitionOf(key, 0, key.length) === 0) yield key;
  }
}

/** A copy of partition 0 on a node with one cache, and the caches that it was found to lack. */
function newCopy(clock = new ManualClock()) {
  const caches = [{ cache: 0, memoryBytesMax: 64 * MEBIBYTE, eviction: 'lru' as const }];
  const options = { memoryBytesMax: 96 * MEBIBYTE, valueBytesMax: MEBIBYTE, caches };
  const storage = createStorage(options, clock, seededRandom(1));
  const removals = new Removals(
    new OwnedPartitions(
      'n1',
      () => undefined,
      () => {},
    ),
  );
  removals.storage = storage;
  const missing: number[] = [];
  const copy = new StoredCopy(0, storage, removals, caches.length, (cache) => missing.push(cache));
  return { copy, missing, storage };
}

it('an entry of a cache that the node does not have is not taken; that it is gone, invalid or clean is nothing to it', () => {
  const { copy, missing } = newCopy();
  const [key] = keys();
  const record = { epoch: 1, seq: 1, cache: 1, key: key!, ttlMs: 0, flags: 0, request: undefined, result: 0 };
  expect(copy.apply(recordOf({ ...record, value: Buffer.from('x') }))).toBe(false);
  expect(missing).toEqual([1]);
  expect(copy.apply(recordOf({ ...record, value: undefined }))).toBe(true);
  expect(copy.apply(invalidationRecord({ epoch: 1, seq: 2, cache: 1, value: undefined }))).toBe(true);
  copy.clean(1, key!, 1, 1);
  expect(copy.count).toBe(0);
  expect(copy.apply(recordOf({ ...record, cache: 0, value: Buffer.from('x') }))).toBe(true);
  expect(copy.count).toBe(1);
});

it('why the owner has removed an entry is known to its copy', () => {
  const clock = new ManualClock();
  const { copy, storage } = newCopy(clock);
  storage.setOwned(0, false);
  const record = { epoch: 1, seq: 1, cache: 0, value: Buffer.from('x'), ttlMs: 1_000, flags: 0, request: undefined };
  const names = keys();
  const removed = (wait: number, by: Partial<RecordParts>): number => {
    const key = names.next().value as Buffer;
    copy.apply(recordOf({ ...record, key, result: 0 }));
    clock.advance(wait);
    copy.apply(recordOf({ ...record, key, value: undefined, ttlMs: 0, result: 0, ...by }));
    return storage.missCause(0, { bytes: key, start: 0, end: key.length, partition: 0 });
  };
  expect(removed(10, {})).toBe(MissCause.evicted);
  expect(removed(1_001, {})).toBe(MissCause.expired);
  expect(removed(10, { result: 1 })).toBe(MissCause.invalidated);
  expect(removed(1_001, { request: { client: 1, number: 1, settledBelow: 1 } })).toBe(MissCause.invalidated);
});

it.each([100, 5_000, 300_000])(
  'a scan of values of %i bytes visits all, and stops before it is a large message',
  (valueBytes) => {
    const { copy } = newCopy();
    const put = new Set<string>();
    for (const key of keys()) {
      if (put.size === 100) break;
      put.add(key.toString());
      const record = { epoch: 1, seq: put.size, cache: 0, key, value: Buffer.alloc(valueBytes), ttlMs: 0, flags: 0 };
      expect(copy.apply(recordOf({ ...record, request: undefined, result: 0 }))).toBe(true);
    }
    const seen = new Set<string>();
    let cursor = 0;
    do {
      const records: ReplicatedRecord[] = [];
      cursor = copy.scan(cursor, 50, (record) => records.push(record));
      expect(records.length).toBeLessThanOrEqual(50);
      const bytes = records
        .slice(0, -1)
        .reduce((sum, record) => sum + packedKey(record).length + packedValue(record)!.length, 0);
      expect(bytes).toBeLessThan(SLICE_BYTES);
      for (const record of records) seen.add(Buffer.from(packedKey(record)).toString());
    } while (cursor !== 0);
    expect(seen).toEqual(put);
  },
);
