import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Histogram } from './histogram.js';

test('a percentile is at most 6.25 % above what was recorded, and never above the largest', () => {
  const durations = fc.array(fc.double({ min: 0.001, max: 4_000_000, noNaN: true }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (durationsMs, share) => {
      const histogram = new Histogram();
      for (const durationMs of durationsMs) histogram.record(durationMs);
      const sorted = durationsMs.toSorted((one, other) => one - other);
      const exactMs = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] as number;
      const foundMs = histogram.percentileMs(share);
      // Whole microseconds are counted.
      expect(foundMs).toBeGreaterThanOrEqual(Math.floor(exactMs * 1000) / 1000);
      expect(foundMs).toBeLessThanOrEqual(Math.min(sorted.at(-1) as number, exactMs * 1.0625 + 0.001));
    }),
  );
});

test('what is out of range counts at the edges', () => {
  const histogram = new Histogram();
  histogram.record(-1);
  histogram.record(1e12);
  expect(histogram.count).toBe(2);
  expect(histogram.percentileMs(0.5)).toBe(0);
  expect(histogram.maxMs).toBe(1e12);
});

test('two are added as if all had been recorded in one, and none is left after a reset', () => {
  const [one, other] = [new Histogram(), new Histogram()];
  one.record(1);
  other.record(3);
  one.add(other);
  expect([one.count, one.meanMs, one.maxMs]).toEqual([2, 2, 3]);
  one.reset();
  expect([one.count, one.meanMs, one.maxMs, one.percentileMs(0.99)]).toEqual([0, 0, 0, 0]);
});
