import { expect, it } from 'vitest';
import { RequestLog } from './request-log.js';
import { REQUEST_KEPT_MS, RequestTable } from './request-table.js';

const request = (number: number, settledBelow = 0, client = 1) => ({ client, number, settledBelow });
const logged = (number: number, settledBelow = 0, client = 1) => ({
  ...request(number, settledBelow, client),
  epoch: 1,
  seq: number,
  result: -1,
});

/** Those that count. */
const numbersOf = (log: RequestLog): number[] =>
  log
    .all()
    .filter(({ number, settledBelow }) => number >= settledBelow)
    .map(({ number }) => number)
    .sort((a, b) => a - b);

it('tells what a request was told, the last time that it was told something', () => {
  const log = new RequestLog(new RequestTable(1));
  log.put(logged(7));
  expect(log.find(request(7))).toEqual(logged(7));
  log.put({ ...logged(7), seq: 9, result: 1 });
  expect(log.find(request(7))).toEqual({ ...logged(7), seq: 9, result: 1 });
  expect(log.find(request(8))).toBeUndefined();
  expect(log.find(request(7, 0, 2))).toBeUndefined();
});

it('keeps a request for 30 to 60 seconds, also while its client goes on writing', () => {
  const table = new RequestTable(1);
  const log = new RequestLog(table);
  table.expire(0);
  log.put(logged(1));
  table.expire(REQUEST_KEPT_MS);
  log.put(logged(2));
  table.expire(2 * REQUEST_KEPT_MS - 1);
  expect(numbersOf(log)).toEqual([1, 2]);
  table.expire(2 * REQUEST_KEPT_MS);
  expect(log.find(request(1))).toBeUndefined();
  expect(log.find(request(2))).toBeDefined();
  table.expire(3 * REQUEST_KEPT_MS);
  expect(log.all()).toEqual([]);
});

it('tells of a request that is in both generations once', () => {
  const table = new RequestTable(1);
  const log = new RequestLog(table);
  table.expire(0);
  log.put(logged(1));
  table.expire(REQUEST_KEPT_MS);
  log.put({ ...logged(1), result: 1 });
  expect(log.all()).toEqual([{ ...logged(1), result: 1 }]);
  expect(log.find(request(1))?.result).toBe(1);
});

it('forgets what its client has settled, but not that it was settled, whichever partition heard of it', () => {
  const table = new RequestTable(1);
  const log = new RequestLog(table);
  const other = new RequestLog(table);
  for (const number of [1, 2, 3]) log.put(logged(number));
  other.put(logged(4, 3));
  expect(numbersOf(log)).toEqual([3]);
  expect(numbersOf(other)).toEqual([4]);
  expect(log.isSettled(request(2))).toBe(true);
  expect(log.isSettled(request(3))).toBe(false);
});

it('tells a new copy what clients have settled, so that a request that was under way for long is no new one there', () => {
  const table = new RequestTable(1);
  const log = new RequestLog(table);
  log.put(logged(1));
  new RequestLog(table).put(logged(2, 2));
  const copy = new RequestLog(new RequestTable(3));
  for (const kept of log.all()) copy.put(kept);
  expect(copy.isSettled(request(1))).toBe(true);
  expect(copy.isSettled(request(2))).toBe(false);
});

it('hears what is settled from requests that come again, or are refused', () => {
  const table = new RequestTable(1);
  const log = new RequestLog(table);
  log.put(logged(1));
  expect(log.find(request(2, 2))).toBeUndefined();
  expect(log.isSettled(request(1))).toBe(true);
});

it('takes any numbers that a peer may send', () => {
  const log = new RequestLog(new RequestTable(1));
  const numbers = [0, 1, 2 ** 32, 2 ** 53 - 1];
  for (const number of numbers) log.put(logged(number));
  expect(numbers.map((number) => log.find(request(number))?.number)).toEqual([undefined, ...numbers.slice(1)]);
});

it('has all of a hundred thousand requests in flight, however far their numbers lie apart', () => {
  const table = new RequestTable(1);
  const log = new RequestLog(table);
  for (const stride of [1, 7, 1_024, 2 ** 32]) {
    const client = stride;
    for (let at = 1; at <= 30_000; at++) log.put(logged(at * stride, 0, client));
    let found = 0;
    for (let at = 1; at <= 30_000; at++) if (log.find(request(at * stride, 0, client))?.seq === at * stride) found++;
    expect(found).toBe(30_000);
    expect(log.find(request(30_001 * stride, 0, client))).toBeUndefined();
  }
});

it('takes the room of what is in flight, however long a client writes', () => {
  const table = new RequestTable(1);
  const log = new RequestLog(table);
  for (let number = 1; number <= 200_000; number++) log.put(logged(number, Math.max(0, number - 500)));
  expect(table.slots).toBeLessThan(4_096);
  expect(numbersOf(log)).toHaveLength(501);
});

it('gives the room of clients back who write no more', () => {
  const table = new RequestTable(1);
  const log = new RequestLog(table);
  table.expire(0);
  for (let client = 1; client <= 100; client++) log.put(logged(1, 0, client));
  expect(table.slots).toBeGreaterThan(100);
  table.expire(REQUEST_KEPT_MS);
  table.expire(2 * REQUEST_KEPT_MS);
  expect(table.slots).toBe(0);
});

it('has nothing any more when the copy goes, and leaves the requests of other copies alone', () => {
  const table = new RequestTable(1);
  const log = new RequestLog(table);
  const other = new RequestLog(table);
  log.put(logged(1));
  other.put(logged(2));
  log.clear();
  expect(log.find(request(1))).toBeUndefined();
  expect(log.all()).toEqual([]);
  expect(numbersOf(other)).toEqual([2]);
  log.put(logged(3));
  expect(numbersOf(log)).toEqual([3]);
});

it('has no room for new writes at its bound', () => {
  const table = new RequestTable(1);
  const log = new RequestLog(table);
  let number = 0;
  while (table.hasRoom) {
    number++;
    log.put(logged(number));
  }
  expect(table.slots).toBeLessThanOrEqual(2 ** 22);
  expect(log.find(request(1))).toBeDefined();
  expect(log.find(request(number, number - 100))).toBeDefined();
  table.expire(0);
  expect(table.hasRoom).toBe(true);
  expect(log.find(request(number))).toBeDefined();
});
