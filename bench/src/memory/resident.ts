import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const SETTLE_MS = 500;
/** Two readings in a row that differ by less are taken as settled. */
const SETTLED_BYTES = 256 * 1024;
const READINGS_MAX = 20;

/** Resident memory of a process, once it has stopped to change, or after ten seconds. */
export async function settledResidentBytes(pid: number): Promise<number> {
  let before = residentBytes(pid);
  for (let reading = 0; reading < READINGS_MAX; reading++) {
    await sleep(SETTLE_MS);
    const now = residentBytes(pid);
    if (Math.abs(now - before) < SETTLED_BYTES) return now;
    before = now;
  }
  return before;
}

function residentBytes(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024;
}
