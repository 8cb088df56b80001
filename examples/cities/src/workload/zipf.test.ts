import { seededRandom } from '@larder/base';
import { expect, test } from 'vitest';
import { Zipf } from './zipf.js';

test('every chance picks a rank that there is', () => {
  const zipf = new Zipf(3, 1);
  expect([0, 0.5, 0.6, 0.8, 0.9, 1 - Number.EPSILON].map((chance) => zipf.rank(chance))).toEqual([0, 0, 1, 1, 2, 2]);
});

test('ranks come up in proportion to one over their place', () => {
  const zipf = new Zipf(1000, 1);
  const random = seededRandom(7);
  const counts = new Array<number>(1000).fill(0);
  for (let pick = 0; pick < 200_000; pick++) counts[zipf.rank(random.next())]!++;
  const ratios = [1, 3, 9].map((rank) => (counts[0] as number) / (counts[rank] as number));
  [2, 4, 10].forEach((expected, index) => {
    expect(ratios[index]).toBeGreaterThan(expected * 0.93);
    expect(ratios[index]).toBeLessThan(expected * 1.07);
  });
});
