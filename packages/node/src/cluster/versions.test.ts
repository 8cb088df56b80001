import { ManualClock } from '@larder/base';
import { expect, test } from 'vitest';
import { startTimeVersions } from './versions.js';

test('a partition counts its own writes', () => {
  const versions = startTimeVersions(new ManualClock());
  const first = versions.nextSeq(7);
  expect([versions.nextSeq(7), versions.nextSeq(7), versions.nextSeq(8)]).toEqual([first + 1, first + 2, first]);
});

test('a node that restarts goes on above what it wrote before, also within a minute', () => {
  const clock = new ManualClock(Date.UTC(2026, 10, 23, 12, 0, 59));
  const before = startTimeVersions(clock);
  let last = 0;
  for (let write = 0; write < 100_000; write++) last = before.nextSeq(0);
  clock.advance(2);
  const after = startTimeVersions(clock);
  expect(after.epochOf(0)).toBe(before.epochOf(0));
  expect(after.nextSeq(0)).toBeGreaterThan(last);
  clock.advance(60_000);
  expect(startTimeVersions(clock).epochOf(0)).toBe(before.epochOf(0) + 1);
});
