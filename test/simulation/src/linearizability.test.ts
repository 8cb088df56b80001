import { describe, expect, it } from 'vitest';
import type { Call, Operation, Result } from './history.js';
import { checkLinearizability } from './linearizability.js';

const UNKNOWN = Number.POSITIVE_INFINITY;
const set = (value: string): Operation => ({ kind: 'set', value, ttlMs: 0 });
const get: Operation = { kind: 'get' };
const call = (operation: Operation, invokedMs: number, returnedMs: number, result?: Result): Call => ({
  operation,
  client: 'c',
  invokedMs,
  returnedMs,
  result: operation.kind === 'set' && returnedMs !== UNKNOWN ? true : result,
});

describe('linearizability checker', () => {
  it.each<[string, Call[]]>([
    ['nothing', []],
    ['a read of what was written', [call(set('a'), 0, 1), call(get, 2, 3, 'a')]],
    ['a read during a write, of the value before', [call(set('a'), 0, 9), call(get, 2, 3)]],
    ['two writes at a time, read in any order', [call(set('a'), 0, 9), call(set('b'), 0, 9), call(get, 10, 11, 'a')]],
    ['an unknown write that is seen late', [call(set('a'), 0, UNKNOWN), call(get, 5, 6), call(get, 90, 91, 'a')]],
    ['an unknown write that is never seen', [call(set('a'), 0, UNKNOWN), call(get, 5, 6)]],
    [
      'an unknown write whose value nobody read but whose presence was seen',
      [call(set('a'), 0, UNKNOWN), call({ kind: 'expire', ttlMs: 9 }, 5, 6, true)],
    ],
    ['an increment', [call({ kind: 'increment' }, 0, 1, 1), call({ kind: 'increment' }, 2, 3, 2)]],
    ['a loss', [call(set('a'), 0, 1), call({ kind: 'lose' }, 2, UNKNOWN), call(get, 3, 4)]],
  ])('accepts %s', (_, calls) => {
    expect(checkLinearizability(calls)).toBe('linearizable');
  });

  it.each<[string, Call[]]>([
    ['a stale read', [call(set('a'), 0, 1), call(set('b'), 2, 3), call(get, 4, 5, 'a')]],
    ['a read of what nobody wrote', [call(get, 0, 1, 'x')]],
    [
      'a value that goes and comes back',
      [call(set('a'), 0, 1), call(set('b'), 2, 9), call(get, 3, 4, 'b'), call(get, 5, 6, 'a')],
    ],
    ['a lost write', [call(set('a'), 0, 1), call(get, 2, 3)]],
    ['an increment that was done twice', [call({ kind: 'increment' }, 0, 1, 1), call({ kind: 'increment' }, 2, 3, 3)]],
    [
      'a compare-and-set that won against the wrong value',
      [call(set('a'), 0, 1), call({ kind: 'compare-and-set', expected: 'b', value: 'c' }, 2, 3, true)],
    ],
    [
      'two that both filled the same gap',
      [call({ kind: 'get-or-set', value: 'a' }, 0, 5, 'a'), call({ kind: 'get-or-set', value: 'b' }, 1, 6, 'b')],
    ],
    [
      'a loss that was declared after the read',
      [call(set('a'), 0, 1), call(get, 2, 3), call({ kind: 'lose' }, 4, UNKNOWN)],
    ],
  ])('finds %s', (_, calls) => {
    expect(checkLinearizability(calls)).toBe('not-linearizable');
  });
});
