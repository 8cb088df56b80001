import { describe, expect, it } from 'vitest';
import type { CacheKind, CallRecord } from './call-record.js';
import { judgeKey } from './judge-key.js';

type Rest = Partial<CallRecord>;
const call = (kind: CallRecord['kind'], beganMs: number, endedMs: number, rest: Rest): CallRecord => ({
  cache: 'memory' as CacheKind,
  key: 'k',
  client: 'c',
  outcome: 'ok',
  kind,
  beganMs,
  endedMs,
  ...rest,
});
const set = (value: string, beganMs: number, endedMs: number, rest: Rest = {}) =>
  call('set', beganMs, endedMs, { value, ...rest });
const get = (result: string | undefined, beganMs: number, endedMs: number) => call('get', beganMs, endedMs, { result });
const remove = (result: boolean, beganMs: number, endedMs: number, rest: Rest = {}) =>
  call('delete', beganMs, endedMs, { result, ...rest });
const unknown = { outcome: 'unknown' } as const;
const failed = { outcome: 'failed' } as const;

describe('judging the history of a key', () => {
  it.each<[string, CallRecord[]]>([
    ['no call', []],
    ['a write and its read', [set('a', 0, 1), get('a', 2, 3)]],
    ['a read during a write', [set('a', 0, 1), set('b', 2, 9), get('a', 3, 4), get('b', 5, 6)]],
    ['a failed write that is not seen', [set('a', 0, 1, failed), get(undefined, 2, 3)]],
    ['an unknown write that shows late', [set('a', 0, 1), set('b', 2, 3, unknown), get('a', 4, 5), get('b', 90, 91)]],
    ['an unknown write that never shows', [set('a', 0, 1), set('b', 2, 3, unknown), get('a', 90, 91)]],
    ['an unknown delete', [set('a', 0, 1), remove(false, 2, 3, unknown), get(undefined, 4, 5)]],
    [
      'a write-behind delete that knows of no row',
      [set('a', 0, 1), remove(false, 2, 3, { cache: 'behind' }), get(undefined, 4, 5)],
    ],
  ])('accepts %s', (_, calls) => {
    expect(judgeKey(calls)).toMatchObject({ lost: 0, staleReads: 0, undecided: false, contradictions: [] });
  });

  it.each<[string, CallRecord[], { lost: number; staleReads: number }]>([
    ['a write that is gone', [set('a', 0, 1), get(undefined, 2, 3)], { lost: 1, staleReads: 0 }],
    ['a write that gave way to the one before', [set('a', 0, 1), set('b', 2, 3), get('a', 4, 5)], lostOne()],
    ['one lost write that many reads miss', [set('a', 0, 1), get(undefined, 2, 3), get(undefined, 4, 5)], lostOne()],
    ['a failed write that shows', [set('a', 0, 1), set('b', 2, 3, failed), get('b', 4, 5)], lostOne()],
    ['a delete that comes back', [set('a', 0, 1), remove(true, 2, 3), get('a', 4, 5)], lostOne()],
    ['a delete that finds nothing', [set('a', 0, 1), remove(false, 2, 3), get(undefined, 4, 5)], lostOrStale(0, 1)],
    [
      'two lost writes',
      [set('a', 0, 1), get(undefined, 2, 3), set('b', 4, 5), get(undefined, 6, 7)],
      lostOrStale(2, 0),
    ],
    [
      'a stale read',
      [set('a', 0, 1), set('b', 2, 3), get('b', 4, 5), get('a', 6, 7), get('b', 8, 9)],
      { lost: 0, staleReads: 1 },
    ],
    [
      'two stale reads',
      [set('a', 0, 1), set('b', 2, 3), get('a', 4, 5), get('a', 6, 7), get('b', 8, 9)],
      { lost: 0, staleReads: 2 },
    ],
    [
      'a value that an unknown write showed and took back',
      [set('a', 0, 1), set('b', 2, 3, unknown), get('b', 4, 5), get('a', 6, 7)],
      { lost: 1, staleReads: 0 },
    ],
  ])('finds %s', (_, calls, found) => {
    expect(judgeKey(calls)).toMatchObject({ ...found, undecided: false });
  });

  it('judges a key that an outage left with dozens of unknown writes', () => {
    const unknowns = Array.from({ length: 60 }, (_, index) => set(`u${index}`, 10 + index, 600, unknown));
    const reads = Array.from({ length: 60 }, (_, index) => get('u7', 1_000 + index, 1_010 + index));
    const calls = [set('a', 0, 1), ...unknowns, ...reads];
    expect(judgeKey(calls)).toMatchObject({ lost: 0, staleReads: 0, undecided: false });
    expect(judgeKey([...calls, get('a', 2_000, 2_001)])).toMatchObject({ lost: 1, undecided: false });
  });

  it('needs an unknown write that nobody read to explain what a delete found', () => {
    expect(judgeKey([set('a', 0, 1, unknown), remove(true, 2, 3)])).toMatchObject({ lost: 0, staleReads: 0 });
  });

  it('names the calls that contradict the others', () => {
    const stale = get('a', 6, 7);
    expect(judgeKey([set('a', 0, 1), set('b', 2, 3), stale, get('b', 8, 9)]).contradictions).toEqual([stale]);
  });

  it('finds a lost write among hundreds of calls of several clients', () => {
    const calls = Array.from({ length: 200 }, (_, index) => {
      const beganMs = index * 10;
      return [set(`v${index}`, beganMs, beganMs + 4), get(`v${index}`, beganMs + 5, beganMs + 14)];
    }).flat();
    expect(judgeKey(calls)).toMatchObject({ lost: 0, staleReads: 0 });
    const withLoss = [...calls, get('v197', 5_000, 5_001)];
    expect(judgeKey(withLoss)).toMatchObject({ lost: 1, staleReads: 0 });
  });
});

function lostOne() {
  return lostOrStale(1, 0);
}

function lostOrStale(lost: number, staleReads: number) {
  return { lost, staleReads };
}
