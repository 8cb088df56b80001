import type { Clock, Timer } from './clock.js';

interface Alarm {
  atMs: number;
  order: number;
  periodMs: number;
  callback: () => void;
}

/** A clock that stands still until it is advanced: for tests and the simulator. Alarms ring in order of their time. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  /** `epochMs` is the wall time at monotonic zero. */
  constructor(readonly epochMs = Date.UTC(2026, 0, 1)) {}

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.epochMs + this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#add(delayMs, 0, callback);
  }

  every(periodMs: number, callback: () => void): Timer {
    return this.#add(periodMs, periodMs, callback);
  }

  /** Alarms that have not rung and were not cancelled. */
  get pendingCount(): number {
    return this.#alarms.size;
  }

  /** Moves time forward, ringing every alarm that falls due on the way, also those that were set by others. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (let alarm = this.#next(untilMs); alarm !== undefined; alarm = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, alarm.atMs);
      if (alarm.periodMs > 0) alarm.atMs += alarm.periodMs;
      else this.#alarms.delete(alarm);
      alarm.callback();
    }
    this.#nowMs = untilMs;
  }

  #add(delayMs: number, periodMs: number, callback: () => void): Timer {
    const alarm: Alarm = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, periodMs, callback };
    this.#alarms.add(alarm);
    const timer: Timer = { cancel: () => void this.#alarms.delete(alarm), hold: () => timer };
    return timer;
  }

  #next(untilMs: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.atMs > untilMs) continue;
      if (!first || alarm.atMs < first.atMs || (alarm.atMs === first.atMs && alarm.order < first.order)) first = alarm;
    }
    return first;
  }
}
