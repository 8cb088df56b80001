import { expect, it } from 'vitest';
import { CallLog, CallOutcome } from './call-log.js';

it('knows the last call for a key, how long ago it ended, how long it took and how it ended', () => {
  const log = new CallLog(1024 ** 2);
  expect(log.find('a', 0)).toBeUndefined();
  log.note('a', 1000, 12.4, CallOutcome.found);
  log.note('b', 2000, 0, CallOutcome.failed);
  expect(log.find('a', 3000)).toEqual({ agoMs: 2000, tookMs: 12, outcome: 'found' });
  expect(log.find('b', 3000)).toEqual({ agoMs: 1000, tookMs: 0, outcome: 'failed' });
  log.note('a', 3000, 1, CallOutcome.deleted);
  expect(log.find('a', 3000)).toEqual({ agoMs: 0, tookMs: 1, outcome: 'deleted' });
  expect(log.find('c', 3000)).toBeUndefined();
});

it('keeps a bounded number of keys, the latest ones', () => {
  const log = new CallLog(1024);
  for (let key = 0; key < 10_000; key++) log.note(`key ${key}`, key, 1, CallOutcome.written);
  const known = Array.from({ length: 10_000 }, (_, key) => key).filter(
    (key) => log.find(`key ${key}`, 0) !== undefined,
  );
  expect(known.length).toBeLessThanOrEqual(64);
  expect(Math.min(...known)).toBeGreaterThan(9_000);
});
