import { expect, it } from 'vitest';
import { REQUEST_KEPT_MS, RequestLog } from './request-log.js';

const request = (number: number, settledBelow = 0) => ({ client: 1, number, settledBelow });
const logged = (number: number, settledBelow = 0) => ({
  ...request(number, settledBelow),
  epoch: 1,
  seq: number,
  result: 0,
});

it('keeps a request for 30 seconds, and no longer if its client goes on writing', () => {
  const budget = { count: 0 };
  const log = new RequestLog(budget);
  log.put(logged(1), 0);
  log.put(logged(2), 1_000);
  log.put(logged(3), REQUEST_KEPT_MS - 1);
  expect(log.find(request(1))).toBeDefined();
  log.put(logged(4), REQUEST_KEPT_MS);
  expect(log.find(request(1))).toBeUndefined();
  expect(log.find(request(2))).toBeDefined();
  expect(budget.count).toBe(3);
});

it('forgets clients who have not written for 30 seconds, within 60', () => {
  const budget = { count: 0 };
  const log = new RequestLog(budget);
  const expireAll = (fromMs: number, untilMs: number): void => {
    for (let nowMs = fromMs; nowMs < untilMs; nowMs += 200) log.expire(nowMs);
  };
  expireAll(0, 10_000);
  log.put(logged(1), 10_000);
  log.put({ ...logged(1), client: 2 }, 10_000);
  expireAll(10_000, 10_000 + REQUEST_KEPT_MS);
  expect(log.find(request(1))).toBeDefined();
  log.put({ ...logged(2), client: 2 }, 10_000 + REQUEST_KEPT_MS);
  expireAll(10_000 + REQUEST_KEPT_MS, 10_000 + 2 * REQUEST_KEPT_MS);
  expect(log.find(request(1))).toBeUndefined();
  expect(log.find({ ...request(2), client: 2 })).toBeDefined();
  expect(log.all()).toHaveLength(1);
  expect(budget.count).toBe(1);
  expireAll(10_000 + 2 * REQUEST_KEPT_MS, 10_000 + 3 * REQUEST_KEPT_MS);
  expect(log.all()).toEqual([]);
  expect(budget.count).toBe(0);
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
