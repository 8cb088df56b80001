import { expect, test } from 'vitest';
import { RecentInvalidations } from './recent-invalidations.js';
import { hashesOfTexts } from './tag-hashes.js';

const RED = hashesOfTexts(['red']);
const RED_AND_BLUE = hashesOfTexts(['red', 'blue']);
const GREEN = hashesOfTexts(['green']);

test('an invalidation concerns what began before it and has its tag, and a clear everything', () => {
  const recent = new RecentInvalidations();
  const before = recent.order;
  recent.add(RED);
  const after = recent.order;
  expect([recent.concerns(before, RED_AND_BLUE), recent.concerns(before, GREEN)]).toEqual([true, false]);
  expect([recent.concerns(before, undefined), recent.concerns(after, RED)]).toEqual([false, false]);
  recent.add(undefined);
  expect([recent.concerns(after, GREEN), recent.concerns(after, undefined)]).toEqual([true, true]);
  expect(recent.concerns(recent.order, RED)).toBe(false);
});

test('of more than it remembers the oldest concern whatever has tags', () => {
  const recent = new RecentInvalidations();
  const before = recent.order;
  recent.add(RED);
  const after = recent.order;
  for (let index = 0; index < 16_384; index++) recent.add(hashesOfTexts([`tag ${index}`]));
  expect([recent.concerns(before, GREEN), recent.concerns(before, undefined)]).toEqual([true, false]);
  expect(recent.concerns(after, GREEN)).toBe(false);
});
