import type { CasOutcome, StoredView, ViewReading, ViewStore } from './view-store.js';
import { NO_VIEW } from './view-store.js';

/** The view of a single node, or of a test, in memory: gone when the process ends. */
export class MemoryViewStore implements ViewStore {
  #stored: StoredView = NO_VIEW;

  read(done: (reading: ViewReading) => void): void {
    const stored = this.#stored;
    queueMicrotask(() => done(stored));
  }

  cas(version: number, document: Uint8Array, done: (outcome: CasOutcome) => void): void {
    const won = this.#stored.version === version;
    if (won) this.#stored = { version: version + 1, document };
    queueMicrotask(() => done(won ? 'won' : 'lost'));
  }
}
