/**
 * One process at a time: `npm start` and `npm test` may set up the same checkout at once. The lock is a file that names
 * its holder. A holder that lives touches it every second; a lock whose process is gone, or that nobody has touched for
 * 30 seconds (the process may be in another container), is taken away.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const TOUCH_MS = 1_000;
const STALE_MS = 30_000;
const POLL_MS = 200;

/**
 * Runs `work` while this process holds the lock at `path`.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {{ onWait?: (holder: string) => void, staleMs?: number, pollMs?: number }} [options]
 * @returns {Promise<T>}
 */
export async function withLock(path, work, { onWait, staleMs = STALE_MS, pollMs = POLL_MS } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const token = `${process.pid} ${hostname()} ${process.hrtime.bigint()}`;
  let waited = false;
  while (!take(path, token)) {
    const holder = read(path);
    if (holder !== undefined && isStale(path, holder, staleMs)) {
      takeAway(path, holder);
      continue;
    }
    if (!waited && holder !== undefined) onWait?.(`process ${holder.split(' ')[0]}`);
    waited = true;
    await sleep(pollMs);
  }
  const release = () => {
    if (read(path) === token) rmSync(path, { force: true });
  };
  process.once('exit', release);
  const touching = setInterval(() => touch(path), TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    process.off('exit', release);
    release();
  }
}

/** @param {string} path @param {string} token */
function take(path, token) {
  try {
    writeFileSync(path, token, { flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** @param {string} path @param {string} holder @param {number} staleMs */
function isStale(path, holder, staleMs) {
  const [pid, host] = holder.split(' ');
  if (host === hostname() && !isAlive(Number(pid))) return true;
  try {
    return Date.now() - statSync(path).mtimeMs > staleMs;
  } catch {
    return false;
  }
}

/**
 * Two processes may see the same stale lock: (1) both read it, (2) one removes it and takes the lock, (3) the other
 * would remove that new lock. So it is moved aside first, and put back if it turns out not to be the stale one.
 * @param {string} path @param {string} holder
 */
function takeAway(path, holder) {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (read(aside) !== holder) linkSync(aside, path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** @param {string} path */
function touch(path) {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Taken away by hand: the work goes on, as it would have without a lock.
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
