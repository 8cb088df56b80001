import { expect, test } from 'vitest';
import type { CallRecord } from './call-record.js';
import { KeyHistories } from './key-histories.js';

const call = (key: string, client: string): CallRecord => ({
  cache: 'memory',
  key,
  client,
  kind: 'get',
  beganMs: 1,
  endedMs: 2,
  outcome: 'ok',
});

test('a history is handed out once, when every client has told of all calls in the life of its key', () => {
  const histories = new KeyHistories(['c1', 'c2']);
  histories.add(call('a', 'c1'), 100);
  histories.add(call('a', 'c2'), 100);
  histories.add(call('b', 'c1'), 900);
  histories.toldUntil('c1', 500);
  expect(histories.take(50)).toEqual([]);
  histories.toldUntil('c2', 149);
  expect(histories.take(50)).toEqual([]);
  histories.toldUntil('c2', 150);
  expect(histories.take(50).map(({ key, calls }) => [key, calls.length])).toEqual([['a', 2]]);
  expect(histories.take(50)).toEqual([]);
  expect(histories.openCount).toBe(1);
});

test('what is left is handed out in the end, also if a client has never told of anything', () => {
  const histories = new KeyHistories(['c1', 'c2']);
  histories.add(call('a', 'c1'), 100);
  expect(histories.take(0)).toEqual([]);
  expect(histories.takeAll().map(({ key }) => key)).toEqual(['a']);
  expect(histories.openCount).toBe(0);
});
