import type { Clock } from '@larder/base';

const PERIOD_MS = 100;
/** Of one turn of the event loop: short beside the half millisecond that a slice of a session's operations takes. */
const BUDGET_MS = 0.5;
/** Nobody waits for what was invalidated to be taken away: a tenth of the time at most. */
const SWEEP_PERIOD_MS = 5;

/** What has something to do beside calls. */
export interface Maintained {
  /** One step. Returns whether there is more to do at once. */
  maintain(budgetMs: number): boolean;
  /** One step of what has time. */
  sweep(budgetMs: number): void;
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
  const sweeper = clock.every(SWEEP_PERIOD_MS, () => maintained.sweep(BUDGET_MS));
  return () => {
    stopped = true;
    timer.cancel();
    sweeper.cancel();
  };
}
