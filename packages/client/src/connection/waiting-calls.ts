import { BoundedQueue } from '@larder/base';
import type { Call } from './call.js';

/** Calls that cannot be sent yet, first in, first out. Bounded in number; who owns it bounds their bytes. */
export class WaitingCalls {
  readonly #calls: BoundedQueue<Call>;

  constructor(countMax: number) {
    this.#calls = new BoundedQueue(countMax);
  }

  get length(): number {
    return this.#calls.length;
  }

  /** False at the bound. */
  push(call: Call): boolean {
    return this.#calls.push(call);
  }

  peek(): Call | undefined {
    return this.#calls.peek();
  }

  shift(): Call | undefined {
    return this.#calls.shift();
  }

  takeAll(): Call[] {
    const all: Call[] = [];
    for (let call = this.#calls.shift(); call; call = this.#calls.shift()) all.push(call);
    return all;
  }

  forEach(visit: (call: Call) => void): void {
    this.removeIf((call) => {
      visit(call);
      return false;
    });
  }

  /** Asks about every call, in order; those that stay keep it. */
  removeIf(isToGo: (call: Call) => boolean): void {
    for (let left = this.#calls.length; left > 0; left--) {
      const call = this.#calls.shift() as Call;
      if (!isToGo(call)) this.#calls.push(call);
    }
  }
}
