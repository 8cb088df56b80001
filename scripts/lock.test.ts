import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from './lock.mjs';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'larder-lock-'));
  path = join(folder, 'below', 'set-up.lock');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** No process has this id: Linux ends at 2^22 and macOS at 99,999. */
const DEAD_PID = 4_999_999;

test('only one of many holds the lock at a time, and nothing is left of it', async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 8 }, () => withLock(path, work, { pollMs: 1 })));
  expect(most).toBe(1);
  expect(readdirSync(join(folder, 'below'))).toEqual([]);
});

test('the lock is released when the work fails, and the failure comes through', async () => {
  await expect(withLock(path, () => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk');
  expect(await withLock(path, async () => 'second')).toBe('second');
});

test('the lock of a process that is gone is taken away', async () => {
  await withLock(path, async () => {});
  writeFileSync(path, `${DEAD_PID} ${hostname()} 1`);
  expect(await withLock(path, async () => 'done')).toBe('done');
});

test('the lock of another host is respected while it is touched, and taken away when it no longer is', async () => {
  await withLock(path, async () => {});
  writeFileSync(path, `${DEAD_PID} another-host 1`);
  let holder: string | undefined;
  const onWait = (who: string) => {
    holder = who;
    utimesSync(path, new Date(0), new Date(0));
  };
  expect(await withLock(path, async () => 'done', { onWait, pollMs: 1 })).toBe('done');
  expect(holder).toBe(`process ${DEAD_PID}`);
});
