import { expect, test } from 'vitest';
import { closestName } from './closest-name.js';

test('a misspelt name is near the one that was meant', () => {
  const known = ['ttl', 'negativeTtl', 'memory', 'eviction'];
  expect(closestName('tll', known)).toBe('ttl');
  expect(closestName('Memory', known)).toBe('memory');
  expect(closestName('negativTTL', known)).toBe('negativeTtl');
});

test('a name that is like none has no suggestion', () => {
  expect(closestName('replication', ['ttl', 'memory'])).toBeUndefined();
  expect(closestName('x', [])).toBeUndefined();
});
