import type { Clock } from '@larder/base';

const PERIOD_MS = 100;
/** Of one turn of the event loop: short beside the half millisecond that a slice of a session's operations takes. */
const BUDGET_MS = 0.5;

/** What has something to do beside calls. */
export interface Maintained {
  /** One step. Returns whether there is more to do at once. */
  maintain(budgetMs: number): boolean;
}

/** Frees what has expired or was dropped, and the like, a little at a time, until the returned function is called. */
export function startMaintenance(maintained: Maintained, clock: Clock): () => void {
  let stopped = false;
  let isBehind = false;
  const step = (): void => {
    if (stopped) return;
    isBehind = maintained.maintain(BUDGET_MS);
    if (isBehind) setImmediate(step);
  };
  const timer = clock.every(PERIOD_MS, () => {
    if (!isBehind) step();
  });
  return () => {
    stopped = true;
    timer.cancel();
  };
}
