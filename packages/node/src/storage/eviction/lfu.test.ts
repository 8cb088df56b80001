import { ManualClock, seededRandom } from '@larder/base';
import { keySlice } from '@larder/proto';
import { expect, test } from 'vitest';
import { createStorage } from '../create-storage.js';

const VALUE = Buffer.alloc(1000);

function open() {
  const caches = [{ cache: 0, memoryBytesMax: 2 ** 20, eviction: 'lfu' as const }];
  const storage = createStorage(
    { memoryBytesMax: 2 ** 21, valueBytesMax: 2 ** 20, caches },
    new ManualClock(),
    seededRandom(1),
  );
  return {
    put: (key: string) => storage.put(0, keySlice(Buffer.from(key)), VALUE, 0, 1000, 1, 1, 0, 0),
    use: (key: string) => storage.find(0, keySlice(Buffer.from(key))) !== 0,
    has: (key: string) => storage.peek(0, keySlice(Buffer.from(key))) !== 0,
  };
}

test('what was used more often survives a scan over many times what fits', () => {
  const { put, use, has } = open();
  for (let index = 0; index < 100; index++) put(`popular-${index}`);
  for (let round = 0; round < 3; round++) for (let index = 0; index < 100; index++) use(`popular-${index}`);
  for (let index = 0; index < 2000; index++) put(`scan-${index}`);
  for (let index = 0; index < 100; index++) expect(has(`popular-${index}`)).toBe(true);
});

test('counts age: what was popular long ago gives way to what is used now', () => {
  const { put, use, has } = open();
  for (let index = 0; index < 500; index++) put(`old-${index}`);
  for (let round = 0; round < 15; round++) for (let index = 0; index < 500; index++) use(`old-${index}`);
  for (let round = 0; round < 40; round++) {
    for (let index = 0; index < 900; index++) if (!use(`new-${index}`)) put(`new-${index}`);
  }
  const left = Array.from({ length: 500 }, (_, index) => has(`old-${index}`)).filter(Boolean).length;
  expect(left).toBeLessThan(150);
});
