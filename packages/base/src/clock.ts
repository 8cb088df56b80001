import { performance } from 'node:perf_hooks';

/**
 * Time as a dependency. Everything that waits or measures is handed a Clock, so that tests and the simulator run the
 * very same code on a clock of their own. This file and random.ts are the only users of the real ones.
 */

export interface Timer {
  /** Makes sure that the callback will not be called; harmless afterwards. */
  cancel(): void;
  /** Keeps the process alive until the callback was called or cancelled: for waits that somebody awaits. */
  hold(): Timer;
}

export interface Clock {
  /** Milliseconds, with fractions, since an arbitrary start. Never goes back. */
  monotonicMs(): number;
  /** Milliseconds since 1970-01-01 UTC; may jump. */
  wallMs(): number;
  /** Calls back once, `delayMs` or a little more from now. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
  /** Calls back every `periodMs` until cancelled. Does not keep the process alive. */
  every(periodMs: number, callback: () => void): Timer;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    return systemTimer(setTimeout(callback, delayMs).unref(), clearTimeout);
  },
  every(periodMs, callback) {
    return systemTimer(setInterval(callback, periodMs).unref(), clearInterval);
  },
};

function systemTimer(handle: NodeJS.Timeout, clear: (handle: NodeJS.Timeout) => void): Timer {
  const timer: Timer = {
    cancel: () => clear(handle),
    hold: () => {
      handle.ref();
      return timer;
    },
  };
  return timer;
}

/** Resolves after `delayMs` on the given clock; keeps the process alive until then. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve).hold());
}
