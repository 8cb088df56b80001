import { ManualClock, seededRandom } from '@larder/base';
import { keySlice } from '@larder/proto';
import { expect, test } from 'vitest';
import { createStorage } from '../create-storage.js';

const VALUE = Buffer.alloc(1000);

function open() {
  const evicted: string[] = [];
  const caches = [{ cache: 0, memoryBytesMax: 2 ** 20, eviction: 'ttl' as const }];
  const storage = createStorage(
    { memoryBytesMax: 2 ** 21, valueBytesMax: 2 ** 20, caches },
    new ManualClock(),
    seededRandom(1),
    (_cache, _partition, ref) => {
      const key = Buffer.alloc(storage.keyBytes(ref));
      storage.copyKey(ref, key, 0);
      evicted.push(key.toString());
    },
  );
  const put = (key: string, ttlMs: number) =>
    storage.put(0, keySlice(Buffer.from(key)), VALUE, 0, 1000, 1, 1, ttlMs, 0);
  return { storage, evicted, put };
}

test('what expires next goes first, in exact order, then what never expires in the order in which it came', () => {
  const { storage, evicted, put } = open();
  const random = seededRandom(3);
  const lives = Array.from({ length: 400 }, (_, index) => ({ key: `ttl-${index}`, ttlMs: 1000 * (index + 1) }));
  for (const life of lives) Object.assign(life, { order: random.next() });
  for (const { key, ttlMs } of [...lives].sort((a, b) => ((a.ttlMs * 7919) % 401) - ((b.ttlMs * 7919) % 401)))
    put(key, ttlMs);
  for (let index = 0; index < 400; index++) put(`never-${index}`, 0);
  for (let index = 0; evicted.length < 600; index++) put(`later-${index}`, 0);
  expect(evicted.slice(0, 400)).toEqual(lives.map(({ key }) => key));
  expect(evicted.slice(400)).toEqual(Array.from({ length: 200 }, (_, index) => `never-${index}`));
  expect(storage.statistics(0).evictions).toBe(600);
});

test('an entry whose life was changed takes its new place', () => {
  const { storage, evicted, put } = open();
  put('first', 1000);
  put('second', 2000);
  put('third', 3000);
  storage.expire(0, keySlice(Buffer.from('first')), 60_000);
  storage.expire(0, keySlice(Buffer.from('third')), 0);
  for (let index = 0; evicted.length < 3; index++) put(`later-${index}`, 120_000);
  expect(evicted.slice(0, 2)).toEqual(['second', 'first']);
  expect(evicted[2]).toMatch(/^later/);
});
