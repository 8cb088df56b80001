import { expect, test } from 'vitest';
import { systemClock } from './clock.js';

/** Timers that keep this process alive. */
const heldTimers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('a timer of the system keeps the process alive only when it is told to, and until it is cancelled', () => {
  const before = heldTimers();
  const once = systemClock.after(60_000, () => {});
  const often = systemClock.every(60_000, () => {});
  expect(heldTimers()).toBe(before);
  expect(once.hold()).toBe(once);
  often.hold();
  expect(heldTimers()).toBe(before + 2);
  once.cancel();
  often.cancel();
  expect(heldTimers()).toBe(before);
});
