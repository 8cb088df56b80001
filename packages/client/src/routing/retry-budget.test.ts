import { ManualClock } from '@larder/base';
import { expect, test } from 'vitest';
import { RetryBudget } from './retry-budget.js';

const TOKENS_MAX = 1_000;

function takeAll(budget: RetryBudget): number {
  let taken = 0;
  while (budget.take()) taken++;
  return taken;
}

test('a new client has saved up what it may', () => {
  expect(takeAll(new RetryBudget(new ManualClock(), TOKENS_MAX))).toBe(TOKENS_MAX);
});

test('an exhausted budget earns a retry for every ten calls, and a hundred a second', () => {
  const clock = new ManualClock();
  const budget = new RetryBudget(clock, TOKENS_MAX);
  takeAll(budget);
  budget.calls += 1_000;
  expect(takeAll(budget)).toBe(100);
  clock.advance(2_000);
  expect(takeAll(budget)).toBe(200);
  budget.calls += 9;
  expect(takeAll(budget)).toBe(0);
  budget.calls += 1;
  expect(takeAll(budget)).toBe(1);
});

test('what is not used is saved up to the bound, and not beyond', () => {
  const clock = new ManualClock();
  const budget = new RetryBudget(clock, TOKENS_MAX);
  budget.calls += 10_000_000;
  clock.advance(10_000_000);
  expect(takeAll(budget)).toBe(TOKENS_MAX);
});
