import { expect, test } from 'vitest';
import { ByteBudget } from './byte-budget.js';

test('bytes are lent up to the bound, and what is given back can be lent again', () => {
  const budget = new ByteBudget(100);
  expect(budget.take(60)).toBe(true);
  expect(budget.take(41)).toBe(false);
  expect(budget.taken).toBe(60);
  expect(budget.take(40)).toBe(true);
  budget.release(60);
  expect(budget.taken).toBe(40);
  expect(budget.take(60)).toBe(true);
});

test('giving back more than was taken is a bug', () => {
  const budget = new ByteBudget(100);
  budget.take(10);
  expect(() => budget.release(11)).toThrow('more bytes released than taken');
});
