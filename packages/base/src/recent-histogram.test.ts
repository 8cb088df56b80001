import { expect, it } from 'vitest';
import { ManualClock } from './manual-clock.js';
import { RecentHistogram } from './recent-histogram.js';

it('says nothing before anything was recorded', () => {
  expect(new RecentHistogram(new ManualClock()).summary()).toBeUndefined();
});

it('percentiles are at most an eighth above what was recorded, and never above the largest', () => {
  const histogram = new RecentHistogram(new ManualClock());
  for (let value = 1; value <= 1000; value++) histogram.record(value);
  const { count, mean, p50, p99, max } = histogram.summary()!;
  expect({ count, mean, max }).toEqual({ count: 1000, mean: 500.5, max: 1000 });
  expect(p50).toBeGreaterThanOrEqual(500);
  expect(p50).toBeLessThanOrEqual(500 * 1.125);
  expect(p99).toBeGreaterThanOrEqual(990);
  expect(p99).toBeLessThanOrEqual(1000);
});

it('values below a thousandth and beyond the range are counted too', () => {
  const histogram = new RecentHistogram(new ManualClock());
  for (const value of [0, 1e-6, 1e12]) histogram.record(value);
  expect(histogram.summary()).toMatchObject({ count: 3, p50: 0, max: 1e12 });
});

it('what is older than two minutes is forgotten, what is younger than one is not', () => {
  const clock = new ManualClock();
  const histogram = new RecentHistogram(clock);
  histogram.record(5000);
  clock.advance(59_000);
  histogram.record(10);
  clock.advance(59_000);
  expect(histogram.summary()).toMatchObject({ count: 2, max: 5000 });
  clock.advance(5_000);
  expect(histogram.summary()).toBeUndefined();
  histogram.record(1);
  clock.advance(1_000_000);
  expect(histogram.summary()).toBeUndefined();
});
