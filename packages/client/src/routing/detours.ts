import { BoundedQueue, type Clock, type Random } from '@larder/base';
import { LarderError } from '@larder/proto';
import type { Call } from '../connection/call.js';
import { Sweeper } from '../connection/sweeper.js';

/**
 * Calls that a node turned away while the client knows no other place for them: each is tried again after a pause
 * that doubles, and at once when the view changes, until its deadline. Then it fails with what the node said.
 */

/** The first pause is 10 to 25 ms, the last ones 160 to 400: no two calls come back together. */
const PAUSE_MS_FIRST = 10;
const PAUSE_MS_MAX = 160;
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
    const plainMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** call.detours++);
    const pauseMs = plainMs * (1 + PAUSE_SPREAD * this.random.next());
    if (!this.#detours.push({ call, error, retryAtMs: this.clock.monotonicMs() + pauseMs })) call.reject(error);
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
