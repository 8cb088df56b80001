import type { LarderError } from '@larder/proto';
import type { Breaker } from './breaker.js';
import type { Origin, OriginFence, OriginRow } from './origin.js';

/** An origin whose calls fail at once while the breaker of its database is open. Its fence is not guarded: a takeover has to try. */
export class GuardedOrigin implements Origin {
  constructor(
    readonly origin: Origin,
    readonly breaker: Breaker,
  ) {}

  get callMsMax(): number {
    return this.origin.callMsMax;
  }

  get isReadOnly(): boolean | undefined {
    return this.origin.isReadOnly;
  }

  get fence(): OriginFence | undefined {
    return this.origin.fence;
  }

  loadMany(keys: readonly string[], signal: AbortSignal): Promise<readonly (Uint8Array | undefined)[]> {
    return this.breaker.run(undefined, () => this.origin.loadMany(keys, signal));
  }

  writeMany(rows: readonly OriginRow[]): Promise<void> {
    return this.breaker.run('not-applied', () => this.origin.writeMany(rows));
  }

  deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    return this.breaker.run('not-applied', () => this.origin.deleteMany(keys));
  }

  check(key: string, value: Uint8Array): LarderError | undefined {
    return this.origin.check?.(key, value);
  }

  close(): Promise<void> {
    return this.origin.close();
  }
}
