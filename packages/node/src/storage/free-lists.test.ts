import { seededRandom } from '@larder/base';
import { expect, test } from 'vitest';
import { FreeLists } from './free-lists.js';

test('the best fit is found below 4 KiB, and a block that is large enough above', () => {
  const words = new Uint32Array(4_000_000);
  const lists = new FreeLists(words);
  const random = seededRandom(1);
  const free = new Map<number, number>();
  let address = 4;
  for (let count = 0; count < 400; count++) {
    const size = count % 3 === 0 ? 1024 + random.integer(20_000) : 4 + random.integer(1020);
    words[address] = size;
    lists.add(address, size);
    free.set(address, size);
    address += size;
  }
  while (free.size > 0) {
    const wanted = random.integer(4) === 0 ? 1024 + random.integer(24_000) : 4 + random.integer(1020);
    const found = lists.take(wanted);
    const fitting = [...free.values()].filter((size) => size >= wanted);
    if (found === 0) {
      // Above 4 KiB a few fitting blocks of the list of the size itself may be overlooked.
      expect(wanted < 1024 ? fitting : fitting.filter((size) => size >= wanted * 1.125)).toEqual([]);
      const first = free.keys().next().value!;
      lists.remove(first);
      free.delete(first);
      continue;
    }
    expect(free.get(found)).toBeGreaterThanOrEqual(wanted);
    if (wanted < 1024 && free.get(found)! < 1024) expect(free.get(found)).toBe(Math.min(...fitting));
    free.delete(found);
  }
  expect(lists.take(4)).toBe(0);
});
