import { expect, test } from 'vitest';
import { Backoff } from './backoff.js';
import { seededRandom } from './random.js';

test('delays double up to the longest, and begin anew after a reset', () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 500, jitter: 0 }, seededRandom(1));
  expect(Array.from({ length: 5 }, () => backoff.nextMs())).toEqual([100, 200, 400, 500, 500]);
  backoff.reset();
  expect(backoff.nextMs()).toBe(100);
});

test('the jitter spreads each delay around its plain value', () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 100, jitter: 0.5 }, seededRandom(1));
  const delaysMs = Array.from({ length: 1000 }, () => backoff.nextMs());
  expect(Math.min(...delaysMs)).toBeGreaterThanOrEqual(50);
  expect(Math.max(...delaysMs)).toBeLessThanOrEqual(150);
  expect(Math.max(...delaysMs) - Math.min(...delaysMs)).toBeGreaterThan(90);
});

test('however many attempts, the delay stays finite', () => {
  const backoff = new Backoff({ firstMs: 1, maxMs: 1000, jitter: 0 }, seededRandom(1));
  for (let attempt = 0; attempt < 5000; attempt++) backoff.nextMs();
  expect(backoff.nextMs()).toBe(1000);
});
