import type { LarderError } from '@larder/proto';
import type { Origin, OriginFence, OriginRow } from './origin.js';

/** An origin in front of another one. What a subclass does not do itself the other one does. */
export class ForwardingOrigin implements Origin {
  constructor(readonly origin: Origin) {}

  get callMsMax(): number {
    return this.origin.callMsMax;
  }

  get isReadOnly(): boolean | undefined {
    return this.origin.isReadOnly;
  }

  get fence(): OriginFence | undefined {
    return this.origin.fence;
  }

  get breaker(): Origin['breaker'] {
    return this.origin.breaker;
  }

  loadMany(keys: readonly string[], signal: AbortSignal): Promise<readonly (Uint8Array | undefined)[]> {
    return this.origin.loadMany(keys, signal);
  }

  writeMany(rows: readonly OriginRow[]): Promise<void> {
    return this.origin.writeMany(rows);
  }

  deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    return this.origin.deleteMany(keys);
  }

  check(key: string, value: Uint8Array): LarderError | undefined {
    return this.origin.check?.(key, value);
  }

  close(): Promise<void> {
    return this.origin.close();
  }
}
