import { seededRandom, systemRandom } from '@larder/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RequestNumbers } from './request-numbers.js';

describe('numbers of writes', () => {
  test('count up from 1, and settle in order', () => {
    const numbers = new RequestNumbers(seededRandom(1));
    expect(numbers.settledBelow).toBe(1);
    for (let number = 1; number <= 3; number++) {
      expect(numbers.next()).toBe(number);
      numbers.settle(number);
      expect(numbers.settledBelow).toBe(number + 1);
    }
  });

  test('one that is under way holds back those behind it', () => {
    const numbers = new RequestNumbers(seededRandom(1));
    for (let number = 1; number <= 5; number++) numbers.next();
    for (const number of [2, 4, 3]) numbers.settle(number);
    expect(numbers.settledBelow).toBe(1);
    numbers.settle(1);
    expect(numbers.settledBelow).toBe(5);
    numbers.settle(5);
    expect(numbers.settledBelow).toBe(6);
  });

  test('say at any time the lowest one that is under way, in whatever order they settle', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { maxLength: 5_000 }), (steps) => {
        const numbers = new RequestNumbers(seededRandom(1));
        const underWay: number[] = [];
        for (const step of steps) {
          const settled = step < underWay.length ? underWay.splice(step, 1)[0] : undefined;
          if (settled === undefined) underWay.push(numbers.next());
          else numbers.settle(settled);
          expect(numbers.settledBelow).toBe(underWay[0] ?? numbers.last + 1);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('grow with the gap between the oldest and the newest', () => {
    const numbers = new RequestNumbers(seededRandom(1));
    for (let number = 1; number <= 100_000; number++) {
      numbers.next();
      if (number > 1) numbers.settle(number);
    }
    expect(numbers.settledBelow).toBe(1);
    numbers.settle(1);
    expect(numbers.settledBelow).toBe(100_001);
  });

  test('at the bound the oldest counts as settled, and when it does settle nothing happens', () => {
    const numbers = new RequestNumbers(seededRandom(1), 16);
    for (let number = 1; number <= 20; number++) {
      numbers.next();
      if (number > 2) numbers.settle(number);
    }
    // 17 finds 1 in its way, 18 finds 2; all others are settled by then.
    expect(numbers.settledBelow).toBe(21);
    numbers.settle(1);
    numbers.settle(2);
    expect(numbers.settledBelow).toBe(21);
    expect(numbers.next()).toBe(21);
    numbers.settle(21);
    expect(numbers.settledBelow).toBe(22);
  });
});

test('a client’s id is a number of 53 bits, another one each time', () => {
  const ids = new Set<number>();
  for (let client = 0; client < 1_000; client++) ids.add(new RequestNumbers(systemRandom).clientId);
  expect(ids.size).toBe(1_000);
  for (const id of ids) expect(Number.isSafeInteger(id) && id > 0).toBe(true);
  expect(Math.max(...ids)).toBeGreaterThan(2 ** 52);
  const zero = new RequestNumbers({ next: () => 0, uint32: () => 0, integer: () => 0 });
  expect(zero.clientId).toBe(1);
});
