import { expect, test } from 'vitest';
import type { Counted } from './hit-watch.js';
import { judgeLoss } from './judge-loss.js';
import type { CallTimes } from './open-loop.js';

/** Ten reads a second from 0 to 20 s, of which those that are due from 10 s to 11 s take 1.5 s. */
function calls(): CallTimes {
  const dueMs = Array.from({ length: 200 }, (_, index) => index * 100);
  const tookMs = dueMs.map((due) => (due >= 10_000 && due < 11_000 ? 1_500 : due < 10_000 ? 2 : 4));
  return { dueMs, tookMs, codes: dueMs.map((due) => (due === 10_000 ? 'TIMEOUT' : '')), dropped: 0 };
}

/** 100 reads a second: 90 % hits, half of it for `dipSeconds` after 10 s. */
function counted(dipSeconds: number): Counted[] {
  let hits = 0;
  let misses = 0;
  return Array.from({ length: 201 }, (_, index) => {
    const atMs = index * 100;
    const share = atMs > 10_000 && atMs <= 10_000 + dipSeconds * 1000 ? 0.45 : 0.9;
    hits += 10 * share;
    misses += 10 * (1 - share);
    const causes = { missesExpired: 0, missesEvicted: 0, missesInvalidated: 0, missesMoved: 0, missesLoadFailed: 0 };
    return { atMs, hits, misses, loads: misses, missesCold: misses, ...causes };
  });
}

const TIMES = { beforeMs: 5_000, killedMs: 10_000, endMs: 20_000 };

test('times are those of the reads that were due before, during and after the failover', () => {
  const { reads, p99Ratio } = judgeLoss({ calls: [calls(), calls()], counted: counted(0), ...TIMES });
  expect(reads.before).toMatchObject({ count: 100, failed: {}, maxMs: 2 });
  expect(reads.failover).toMatchObject({ count: 60, failed: { TIMEOUT: 2 }, maxMs: 1_500 });
  expect(reads.after).toMatchObject({ count: 140, maxMs: 4 });
  expect(reads.allAfter).toMatchObject({ count: 200, p99Ms: 1_500 });
  expect(p99Ratio).toBe(2);
});

test('the hit ratio is back when, after its worst second, it reaches nine tenths of what it was', () => {
  const judge = (dipSeconds: number) => judgeLoss({ calls: [calls()], counted: counted(dipSeconds), ...TIMES });
  expect(judge(0)).toMatchObject({ hitRatioBackSeconds: 0, hitRatio: { before: 0.9, lowest: 0.9, after: 0.9 } });
  expect(judge(3)).toMatchObject({ hitRatioBackSeconds: 4, hitRatio: { lowest: 0.45 } });
  expect(judge(10)).toMatchObject({ hitRatioBackSeconds: null });
  expect(judge(10).loadsPerSecond).toEqual({ before: 10, after: 55 });
});
