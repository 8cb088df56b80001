import { type Clock, deferred, type Timer } from '@larder/base';
import type { DirtyKeys } from './dirty-keys.js';

interface Waiter {
  /** Keys that became dirty before this are waited for. */
  readonly order: number;
  readonly timer: Timer;
  resolve(remaining: number): void;
}

/** Those who wait until everything that was pending when they came has been flushed, or refused once more. */
export class FlushWaiters {
  readonly #waiters = new Set<Waiter>();

  constructor(
    readonly keys: DirtyKeys,
    readonly clock: Clock,
  ) {}

  get size(): number {
    return this.#waiters.size;
  }

  /** Resolves with how many keys remain, after `timeoutMs` at the latest. */
  wait(timeoutMs: number): Promise<number> {
    const { promise, resolve } = deferred<number>();
    const order = this.keys.nextOrder;
    const waiter: Waiter = { order, resolve, timer: this.clock.after(timeoutMs, () => this.#end(waiter)).hold() };
    this.#waiters.add(waiter);
    this.check();
    return promise;
  }

  /** Something has been flushed or refused. */
  check(): void {
    for (const waiter of this.#waiters) {
      if (!this.keys.isAcceptedLeftBefore(waiter.order)) this.#end(waiter);
    }
  }

  endAll(): void {
    for (const waiter of this.#waiters) this.#end(waiter);
  }

  #end(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    waiter.timer.cancel();
    waiter.resolve(this.keys.countBefore(waiter.order));
  }
}
