import { expect, it } from 'vitest';
import { REQUEST_KEPT_MS, RequestLog } from './request-log.js';

const request = (number: number, settledBelow = 0) => ({ client: 1, number, settledBelow });
const logged = (number: number, settledBelow = 0) => ({
  ...request(number, settledBelow),
  epoch: 1,
  seq: number,
  result: 0,
});

it('keeps a request for 30 seconds', () => {
  const budget = { count: 0 };
  const log = new RequestLog(budget);
  log.put(logged(1), 0);
  log.put(logged(2), 1_000);
  log.expire(REQUEST_KEPT_MS - 1);
  expect(log.find(request(1))).toBeDefined();
  log.expire(REQUEST_KEPT_MS);
  expect(log.find(request(1))).toBeUndefined();
  expect(log.find(request(2))).toBeDefined();
  expect(budget.count).toBe(1);
});

it('forgets what its client has settled, but not that it was settled', () => {
  const budget = { count: 0 };
  const log = new RequestLog(budget);
  for (const number of [1, 2, 3]) log.put(logged(number), 0);
  log.put(logged(4, 3), 0);
  expect(log.all().map(({ number }) => number)).toEqual([3, 4]);
  expect(log.isSettled(request(2))).toBe(true);
  expect(log.isSettled(request(3))).toBe(false);
  expect(budget.count).toBe(2);
});

it('gives its room back when the copy goes', () => {
  const budget = { count: 5 };
  const log = new RequestLog(budget);
  log.put(logged(1), 0);
  log.put(logged(1), 0);
  log.clear();
  expect(budget.count).toBe(5);
});
