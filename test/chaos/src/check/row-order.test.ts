import { describe, expect, it } from 'vitest';
import type { CallRecord } from './call-record.js';
import { backwardRows, finalRows } from './row-order.js';

const call = (kind: CallRecord['kind'], beganMs: number, endedMs: number, rest: Partial<CallRecord>): CallRecord => ({
  cache: 'behind',
  key: 'k',
  client: 'c',
  outcome: 'ok',
  kind,
  beganMs,
  endedMs,
  ...rest,
});
const set = (value: string, beganMs: number, endedMs: number, rest: Partial<CallRecord> = {}) =>
  call('set', beganMs, endedMs, { value, version: BigInt(beganMs), ...rest });
const get = (result: string | undefined, beganMs: number, endedMs: number) => call('get', beganMs, endedMs, { result });
const unknown = { outcome: 'unknown', version: undefined } as const;
const rows = (...values: (string | undefined)[]) => values.map((value) => ({ value }));

describe('rows in the order of the database', () => {
  const calls = [set('a', 0, 1), set('b', 2, 3), set('c', 4, 5), set('x', 6, 7, unknown)];

  it.each([
    ['in order', rows('a', 'b', 'c'), 0],
    ['with one left out and one written twice', rows('a', 'c', 'c'), 0],
    ['with a delete and an unknown write between', rows('a', 'x', undefined, 'b'), 0],
    ['with an older value after a newer one', rows('a', 'c', 'b'), 1],
    ['with an older value after a delete', rows('b', undefined, 'a'), 1],
    ['with one that goes back twice', rows('c', 'a', 'b'), 2],
  ])('%s', (_, changes, backward) => {
    expect(backwardRows(changes, calls)).toBe(backward);
  });
});

describe('what the row may be in the end', () => {
  it.each<[string, CallRecord[], (string | undefined)[]]>([
    ['no write', [get(undefined, 0, 1)], [undefined]],
    ['the last write', [set('a', 0, 1), set('b', 2, 3)], ['b']],
    ['nothing after a delete', [set('a', 0, 1), call('delete', 2, 3, {})], [undefined]],
    ['either of two at a time', [set('a', 0, 9), set('b', 1, 8)], ['a', 'b']],
    ['the one that was read last', [set('a', 0, 9), set('b', 1, 8), get('b', 10, 11)], ['b']],
    ['an unknown write, or what was there', [set('a', 0, 1), set('b', 2, 3, unknown)], ['a', 'b']],
    ['an unknown first write, or nothing', [set('a', 0, 1, unknown)], ['a', undefined]],
    ['an unknown write that may still come', [set('a', 0, 1), set('b', 2, 3, unknown), get('a', 8, 9)], ['a', 'b']],
    ['not a failed write', [set('a', 0, 1), set('b', 2, 3, { outcome: 'failed' })], ['a']],
  ])('%s', (_, calls, allowed) => {
    expect([...finalRows(calls)].sort()).toEqual([...allowed].sort());
  });
});
