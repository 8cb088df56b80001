import type { LarderError } from '@larder/proto';
import { type DirtyKeys, isRefused } from './dirty-keys.js';
import type { StrategyContext } from './strategies/strategy.js';

/** A row of write-behind that the origin refuses. It stays in memory, dirty, and counts among the pending writes. */
export interface DeadLetter {
  readonly key: string;
  /** Why. What a database says may quote the row's values. */
  readonly error: LarderError;
  /** How often the origin has refused this value. */
  readonly attempts: number;
  /** Since the write. */
  readonly ageMs: number;
  /** Until it is tried again; undefined: it is not, unless somebody asks for it. */
  readonly retryInMs: number | undefined;
}

/** The refused rows among a flusher's keys, for those who look at them, mend the table, or give them up. */
export class DeadLetters {
  constructor(
    readonly keys: DirtyKeys,
    readonly context: StrategyContext,
    /** One is to be tried now, or has gone. */
    readonly changed: () => void,
  ) {}

  /** Those that are not tried again by themselves. */
  get givenUp(): number {
    return this.keys.deadCount;
  }

  /** At most so many; those that are given up first. */
  list(limit: number): DeadLetter[] {
    const nowMs = this.context.clock.monotonicMs();
    const letters: DeadLetter[] = [];
    for (const { text, refusal, attempts, sinceMs, retryAtMs } of this.keys.refused()) {
      if (letters.length >= limit) break;
      const retryInMs = retryAtMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, retryAtMs - nowMs);
      letters.push({ key: text, error: refusal!, attempts, ageMs: nowMs - sinceMs, retryInMs });
    }
    return letters;
  }

  /** False: there is no such dead letter. */
  retry(text: string): boolean {
    const dirty = this.keys.get(text);
    if (dirty === undefined || !isRefused(dirty)) return false;
    this.keys.retry(dirty);
    this.context.counters.deadLettersRetried++;
    this.changed();
    return true;
  }

  /** The entry is forgotten, so that the next read asks the origin. False: there is no such dead letter. */
  discard(text: string): boolean {
    const { memory, flights, counters } = this.context;
    const dirty = this.keys.get(text);
    if (dirty === undefined || !isRefused(dirty) || !memory.serves(dirty.partition)) return false;
    this.keys.discard(dirty);
    counters.deadLettersDiscarded++;
    flights.supersedeText(text);
    memory.request = undefined;
    memory.remove(dirty.key);
    this.changed();
    return true;
  }

  /** The partition has gone; what was refused there is its new owner's. */
  disown(partition: number): void {
    if (this.keys.refusedCount === 0) return;
    for (const dirty of [...this.keys.refused()]) if (dirty.partition === partition) this.keys.discard(dirty);
    this.changed();
  }
}
