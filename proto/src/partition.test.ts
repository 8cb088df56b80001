import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PARTITION_COUNT } from './limits.js';
import { keySlice, partitionOf } from './partition.js';
import { xxh32 } from './xxh32.js';

const partition = (key: string): number => keySlice(Buffer.from(key)).partition;

// Golden: a key that moved would be looked for at another node than the one that has it.
test.each([
  ['a', 340],
  ['city:2950159', 257],
  ['user:1', 500],
  ['user:2', 620],
  ['{user:1}:profile', 500],
  ['Ωmega', 186],
])('the partition of %s never changes', (key, expected) => {
  expect(partition(key)).toBe(expected);
});

test('only what stands in the braces counts', () => {
  expect(partition('{user:1}:profile')).toBe(partition('user:1'));
  expect(partition('cart:{user:1}')).toBe(partition('{user:1}:profile'));
  expect(partition('a{b}c{d}')).toBe(partition('b'));
  expect(partition('{{b}}')).toBe(partition('{b'));
});

test('a key with an empty tag, or with none that ends, counts as a whole', () => {
  for (const key of ['{}a', 'a{b', 'a}b{', '{', '}', 'a{}{b}']) {
    const bytes = Buffer.from(key);
    expect(partition(key)).toBe(xxh32(bytes, 0, bytes.length) >>> 22);
  }
});

test('a key has the same partition wherever in a buffer it lies', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.nat(30), (key, before) => {
      // Braces before and after the key must not be taken for its own.
      const padded = Buffer.concat([Buffer.alloc(before, '{'), key, Buffer.from('}')]);
      expect(partitionOf(padded, before, before + key.length)).toBe(keySlice(key).partition);
    }),
  );
});

test('partitions are 0 to 1,023 and keys spread over them', () => {
  const counts = new Array<number>(PARTITION_COUNT).fill(0);
  for (let index = 0; index < 102_400; index++) counts[partition(`key:${index}`)]!++;
  // 100 a partition on average; six standard deviations of the binomial distribution are 60.
  expect(Math.min(...counts)).toBeGreaterThan(40);
  expect(Math.max(...counts)).toBeLessThan(160);
});
