import { BoundedQueue, type Clock, type Random } from '@larder/base';
import { LarderError } from '@larder/proto';
import type { Call } from '../connection/call.js';
import { Sweeper } from '../connection/sweeper.js';

/**
 * Calls that a node turned away while the client knows no other place for them: each is tried again after a pause
 * that doubles, and at once when the view changes, until its deadline. Then it fails with what the node said.
 *
 * Calls that have paused equally often come back in the order in which they were turned away, so that those of one key
 * do not overtake each other more often than must be.
 */

/** The first pause is 10 to 25 ms, the fifth and later ones 160 to 400: no two clients come back together. */
const PAUSE_MS_FIRST = 10;
const PAUSES_MAX = 5;
const PAUSE_SPREAD = 1.5;
const SWEEP_PERIOD_MS = 10;
/** At the bound a call fails at once. */
const CALLS_MAX = 100_000;

interface Detour {
  readonly call: Call;
  readonly error: LarderError;
  readonly retryAtMs: number;
}

export class Detours {
  readonly #detours = new BoundedQueue<Detour>(CALLS_MAX);
  /** By the number of pauses: until when the last call so far rests. */
  readonly #restMs = new Float64Array(PAUSES_MAX);
  readonly #sweeper: Sweeper;

  constructor(
    readonly clock: Clock,
    readonly random: Random,
    readonly submit: (call: Call) => void,
  ) {
    this.#sweeper = new Sweeper(clock, SWEEP_PERIOD_MS, (nowMs) => this.#sweep(nowMs));
  }

  get length(): number {
    return this.#detours.length;
  }

  park(call: Call, error: LarderError): void {
    const retryAtMs = this.#retryAtMs(Math.min(call.detours++, PAUSES_MAX - 1));
    if (!this.#detours.push({ call, error, retryAtMs })) call.reject(error);
    this.#sweeper.start();
  }

  /** The view has changed: all try again now. */
  retryAll(): void {
    for (let left = this.#detours.length; left > 0; left--) {
      const { call } = this.#detours.shift() as Detour;
      if (!call.settled) this.submit(call);
    }
  }

  close(): void {
    this.#sweeper.stop();
    for (let detour = this.#detours.shift(); detour; detour = this.#detours.shift()) {
      const { call } = detour;
      call.reject(new LarderError('CLOSED', 'the client was closed', { outcome: call.outcomeIfLost }));
    }
  }

  #retryAtMs(pauses: number): number {
    const pauseMs = PAUSE_MS_FIRST * 2 ** pauses * (1 + PAUSE_SPREAD * this.random.next());
    const retryAtMs = Math.max(this.#restMs[pauses]!, this.clock.monotonicMs() + pauseMs);
    this.#restMs[pauses] = retryAtMs;
    return retryAtMs;
  }

  #sweep(nowMs: number): boolean {
    for (let left = this.#detours.length; left > 0; left--) {
      const detour = this.#detours.shift() as Detour;
      const { call, error, retryAtMs } = detour;
      if (call.settled) continue;
      if (call.deadlineMs <= nowMs) call.reject(error);
      else if (retryAtMs <= nowMs) this.submit(call);
      else this.#detours.push(detour);
    }
    return this.#detours.length > 0;
  }
}
