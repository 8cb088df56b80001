import { deferred } from '@larder/base';
import type { LarderError } from '@larder/proto';
import { MemoryOrigin } from '../src/origins/memory.js';
import type { Origin, OriginFence, OriginRow } from '../src/origins/origin.js';

interface Call {
  readonly kind: 'load' | 'write' | 'delete';
  readonly keys: readonly string[];
  /** Lets the call take effect and be answered. */
  open(): void;
  /** Lets it fail instead, without effect. */
  fail(error: Error): void;
  /** Lets it take effect, but fail to say so. */
  loseAnswer(error: Error): void;
  /** Lets it fail now, and take effect when `applyLateWrites` is called: its connection is lost, the database works on. */
  applyLate(error: Error): void;
}

interface LateWrite {
  readonly keys: readonly string[];
  effect(): Promise<unknown>;
}

/** An in-process origin whose calls wait until the test lets them go on. */
export class GatedOrigin implements Origin {
  readonly callMsMax = 5000;
  readonly calls: Call[] = [];
  readonly #waiting: (() => void)[] = [];
  #late: LateWrite[] = [];
  /** False: calls go on by themselves. */
  gated = true;

  isReadOnly = false;
  /** Left out by most tests: then only time tells when what earlier owners began is over. */
  fence?: OriginFence;

  constructor(readonly rows: MemoryOrigin = new MemoryOrigin()) {}

  /** An origin with a fence whose raises go on by `raised`. */
  static fenced(): GatedOrigin & { readonly fence: GatedFence } {
    const origin = new GatedOrigin();
    return Object.assign(origin, { fence: new GatedFence() });
  }

  loadMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    // The database reads when the call comes in; what is written later is not seen by it.
    const loaded = this.rows.loadMany(keys);
    return this.#gate('load', keys, () => loaded);
  }

  writeMany(rows: readonly OriginRow[]): Promise<void> {
    return this.#gate(
      'write',
      rows.map(({ key }) => key),
      () => this.rows.writeMany(rows),
    );
  }

  deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    return this.#gate('delete', keys, () => this.rows.deleteMany(keys));
  }

  check?(key: string, value: Uint8Array): LarderError | undefined;

  close(): Promise<void> {
    return this.rows.close();
  }

  /** Resolves when so many calls have been made in all. */
  async called(count: number): Promise<Call> {
    while (this.calls.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.calls[count - 1] as Call;
  }

  /** Those of the given keys, or all. */
  applyLateWrites(keys?: readonly string[]): void {
    const due = this.#late.filter((late) => keys === undefined || late.keys.some((key) => keys.includes(key)));
    this.#late = this.#late.filter((late) => !due.includes(late));
    for (const { effect } of due) void effect();
  }

  #gate<T>(kind: Call['kind'], keys: readonly string[], effect: () => Promise<T>): Promise<T> {
    const gate = deferred<void>();
    let lost: Error | undefined;
    this.calls.push({
      kind,
      keys,
      open: () => gate.resolve(),
      fail: (error) => gate.reject(error),
      applyLate: (error) => {
        if (kind !== 'load') this.#late.push({ keys, effect });
        gate.reject(error);
      },
      loseAnswer(error) {
        lost = error;
        gate.resolve();
      },
    });
    if (!this.gated) gate.resolve();
    for (const wake of this.#waiting.splice(0)) wake();
    // A later write to the same rows waits for the locks of the earlier one.
    const ordered = (): Promise<T> => {
      if (kind !== 'load') this.applyLateWrites(keys);
      return effect();
    };
    return gate.promise.then(ordered).then((result) => {
      if (lost !== undefined) throw lost;
      return result;
    });
  }
}

export class GatedFence implements OriginFence {
  readonly raises: { succeed(): void; fail(error: Error): void }[] = [];

  raise(): Promise<void> {
    const raised = deferred<void>();
    this.raises.push({ succeed: () => raised.resolve(), fail: (error) => raised.reject(error) });
    return raised.promise;
  }
}
