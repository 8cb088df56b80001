import { expect, it } from 'vitest';
import { checkTimers, LAN_TIMERS, TIMER_PRESETS } from './timers.js';

it.each(Object.entries(TIMER_PRESETS))('accepts its own preset %s', (_name, timers) => {
  expect(() => checkTimers(timers)).not.toThrow();
});

it.each([
  [{ heartbeatMs: 300 }, '3 x heartbeatMs < dropMs'],
  [{ dropMs: 950 }, 'dropMs + 100 < leaseMs'],
  [{ graceMs: 1_049 }, 'graceMs >= 1.02 x leaseMs'],
  [{ suspectMs: 1_000 }, 'graceMs <= suspectMs'],
  [{ lostAfterMs: 1_050 }, 'suspectMs < lostAfterMs'],
  [{ viewGraceMs: 10_000 }, 'viewGraceMs >= 1.02 x viewLeaseMs'],
  [{ heartbeatMs: 0 }, 'timers.heartbeatMs is 0'],
  [{ leaseMs: 1_000.5 }, 'timers.leaseMs is 1000.5'],
])('refuses %o', (change, message) => {
  expect(() => checkTimers({ ...LAN_TIMERS, ...change })).toThrow(message);
});
