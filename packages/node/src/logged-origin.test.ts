import { ManualClock } from '@larder/base';
import { MemoryOrigin } from '@larder/loader';
import type { LarderError } from '@larder/proto';
import { beforeEach, expect, test } from 'vitest';
import { LoggedOrigin } from './logged-origin.js';

let clock: ManualClock;
let lines: unknown[];
let origin: LoggedOrigin;

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  const log = { debug() {}, info() {}, warn: (line: unknown) => lines.push(line), error() {}, fatal() {} };
  origin = new LoggedOrigin(new MemoryOrigin(({ key }) => `secret of ${key}`), 'people', clock, log);
});

const refused = () =>
  origin.writeMany([{ key: 'a', value: Buffer.from('v') }]).catch((error: LarderError) => error.code);

test('a refused row is in the log without what the database quotes of it', async () => {
  expect(await refused()).toBe('ORIGIN');
  expect(lines).toEqual([
    expect.objectContaining({
      event: 'origin-failed',
      cache: 'people',
      operation: 'write',
      code: 'ORIGIN',
      unlogged: 0,
    }),
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret');
});

test('a database that is away is in the log with the reason', async () => {
  await origin.close();
  await expect(origin.loadMany(['a'], new AbortController().signal)).rejects.toThrow('the origin is closed');
  expect(lines).toEqual([expect.objectContaining({ operation: 'load', reason: 'the origin is closed' })]);
});

test('one line a second is enough, and it says how many were left out', async () => {
  for (let count = 0; count < 5; count++) await refused();
  expect(lines).toHaveLength(1);
  clock.advance(1_000);
  await refused();
  expect(lines[1]).toMatchObject({ unlogged: 4 });
});

test('what goes well is passed on and not logged', async () => {
  expect(await origin.loadMany(['a'], new AbortController().signal)).toEqual([undefined]);
  expect(await origin.deleteMany(['a'])).toEqual([false]);
  expect(lines).toEqual([]);
});
