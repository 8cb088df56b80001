import { LarderError } from '@larder/proto';
import type { Origin, OriginRow } from './origin.js';

/**
 * An origin inside the process: for tests, the simulator and trying things out. It is a real one, with rows that stay
 * and a rule that rows may be refused by, but it does not survive the process.
 */
export class MemoryOrigin implements Origin {
  readonly callMsMax = 1;
  readonly #rows = new Map<string, Uint8Array>();
  #refuses: (row: OriginRow) => string | undefined;
  #closed = false;

  /** `refuses` plays the part of a constraint: the reason why a row cannot be stored, if there is one. */
  constructor(refuses: (row: OriginRow) => string | undefined = () => undefined) {
    this.#refuses = refuses;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** What the row holds now; for those who look at the origin from outside. */
  row(key: string): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  /** From now on it refuses nothing. */
  accept(): void {
    this.#refuses = () => undefined;
  }

  async loadMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#assertOpen(undefined);
    return keys.map((key) => this.#rows.get(key));
  }

  async writeMany(rows: readonly OriginRow[]): Promise<void> {
    this.#assertOpen('not-applied');
    for (const row of rows) {
      const reason = this.#refuses(row);
      if (reason !== undefined) throw new LarderError('ORIGIN', reason, { outcome: 'not-applied' });
    }
    for (const { key, value } of rows) this.#rows.set(key, Uint8Array.from(value));
  }

  async deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    this.#assertOpen('not-applied');
    return keys.map((key) => this.#rows.delete(key));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #assertOpen(outcome: 'not-applied' | undefined): void {
    if (this.#closed) throw new LarderError('ORIGIN_UNAVAILABLE', 'the origin is closed', { outcome });
  }
}
