import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CLASS_COUNT, encodeExpiry, expiryClass, passedExpiry, remainingMs, TICK_MS } from './expiry.js';

const DAY_MS = 86_400_000;

test('a life of up to 12 days ends to the millisecond, at any age of the node', () => {
  fc.assert(
    fc.property(fc.nat(3000 * DAY_MS), fc.integer({ min: 1, max: 12 * DAY_MS }), (nowMs, ttlMs) => {
      const expiry = encodeExpiry(nowMs, ttlMs);
      const remaining = remainingMs(expiry, nowMs);
      expect(remaining - ttlMs === 0 || (remaining - ttlMs === 1 && expiry === 1)).toBe(true);
      expect(remainingMs(expiry, nowMs + ttlMs - 1)).toBeGreaterThan(0);
      expect(remainingMs(expiry, nowMs + ttlMs + 1)).toBeLessThanOrEqual(0);
      expect(remainingMs(expiry, nowMs + ttlMs + 10 * DAY_MS)).toBeLessThanOrEqual(0);
    }),
  );
});

test('a longer life ends on the full second behind its end', () => {
  fc.assert(
    fc.property(fc.nat(3000 * DAY_MS), fc.integer({ min: 2 ** 30 + 1, max: 2 ** 40 }), (nowMs, ttlMs) => {
      const late = remainingMs(encodeExpiry(nowMs, ttlMs), nowMs) - ttlMs;
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThan(1000);
    }),
  );
});

test('an end that was noted as passed stays so, however long ago it is', () => {
  fc.assert(
    fc.property(
      fc.nat(3000 * DAY_MS),
      fc.integer({ min: 1, max: 2 ** 40 }),
      fc.nat(12 * DAY_MS),
      fc.nat(3000 * DAY_MS),
      (nowMs, ttlMs, lateMs, laterMs) => {
        const expiry = encodeExpiry(nowMs, ttlMs);
        const noticedMs = nowMs + remainingMs(expiry, nowMs) + lateMs;
        const passed = passedExpiry(expiry, noticedMs);
        const remaining = remainingMs(passed, noticedMs + laterMs);
        expect(remaining).toBeLessThanOrEqual(-lateMs - laterMs);
        expect(remaining).toBeGreaterThan(-lateMs - laterMs - 1000);
      },
    ),
  );
});

test('no life is no expiry, and has no class', () => {
  expect(encodeExpiry(123, 0)).toBe(0);
  expect(expiryClass(0, 123)).toBe(0);
});

test('the class is the tick of the end, from 1 to 255', () => {
  fc.assert(
    fc.property(fc.nat(3000 * DAY_MS), fc.integer({ min: 1, max: 2 ** 40 }), (nowMs, ttlMs) => {
      const expiry = encodeExpiry(nowMs, ttlMs);
      const endMs = nowMs + remainingMs(expiry, nowMs);
      expect(expiryClass(expiry, nowMs)).toBe((Math.floor(endMs / TICK_MS) % CLASS_COUNT) + 1);
      const laterMs = nowMs + Math.floor(Math.min(ttlMs, DAY_MS) / 2);
      expect(expiryClass(expiry, laterMs)).toBe(expiryClass(expiry, nowMs));
    }),
    // Ends with a tick.
    { examples: [[259_199_999_971, 29]] },
  );
});
