import type { Random } from '@larder/base';
import { type CasOutcome, NO_VIEW, type StoredView, type ViewReading, type ViewStore } from '@larder/node/internal';
import type { SimulatedProcess } from './simulated-process.js';
import type { World } from './world.js';

/**
 * A view store that is linearizable and, as seen from a node, as bad as allowed: slow, unreachable, deaf on the way back,
 * or done long after the caller has given up.
 */
export class SimulatedStore {
  stored: StoredView = NO_VIEW;
  /** Nothing arrives. */
  down = false;
  slowness = 1;
  /** Of calls whose request or answer is lost. */
  lossShare = 0;
  /** Of compare-and-sets that are carried out long after their caller has given up. */
  lateShare = 0;
  readonly unreachableFrom = new Set<string>();

  constructor(
    readonly world: World,
    readonly random: Random,
    readonly deadlineMs: number,
    readonly changed: (stored: StoredView) => void,
  ) {}

  connect(node: string, process: SimulatedProcess): ViewStore {
    const call = <T>(execute: () => T, given: T, done: (answer: T) => void): void => {
      let open = true;
      const answer = (value: T): void =>
        process.run(() => {
          if (!open) return;
          open = false;
          done(value);
        });
      this.world.after(this.deadlineMs / process.rate, () => answer(given));
      if (this.#isLost(node)) return;
      this.world.after(this.#delayMs(), () => {
        if (this.down) return;
        const value = execute();
        if (!this.#isLost(node)) this.world.after(this.#delayMs(), () => answer(value));
      });
    };
    return {
      read: (done) => call<ViewReading>(() => this.stored, undefined, done),
      cas: (version, document, done) => call<CasOutcome>(() => this.#cas(version, document), 'unknown', done),
    };
  }

  #cas(version: number, document: Uint8Array): CasOutcome {
    if (this.stored.version !== version) return 'lost';
    this.stored = { version: version + 1, document };
    this.changed(this.stored);
    return 'won';
  }

  #isLost(node: string): boolean {
    if (this.down || this.unreachableFrom.has(node)) return true;
    return this.lossShare > 0 && this.random.next() < this.lossShare;
  }

  #delayMs(): number {
    if (this.lateShare > 0 && this.random.next() < this.lateShare) return this.random.next() * 2_000;
    return (0.5 + this.random.next() ** 2 * 8) * this.slowness;
  }
}
