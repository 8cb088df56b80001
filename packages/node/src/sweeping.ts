import type { Clock } from '@larder/base';
import type { Storage } from './storage/storage.js';

const PERIOD_MS = 100;
/** Of one turn of the event loop: short beside the half millisecond that a slice of a session's operations takes. */
const BUDGET_MS = 0.5;

/** Frees what has expired, a little at a time, until the returned function is called. */
export function startSweeping(storage: Storage, clock: Clock): () => void {
  let stopped = false;
  let isBehind = false;
  const sweep = (): void => {
    if (stopped) return;
    isBehind = storage.maintain(BUDGET_MS);
    if (isBehind) setImmediate(sweep);
  };
  const timer = clock.every(PERIOD_MS, () => {
    if (!isBehind) sweep();
  });
  return () => {
    stopped = true;
    timer.cancel();
  };
}
