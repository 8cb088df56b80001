import type { Random } from '@larder/base';
import type { ReplicatedRecord } from '@larder/node/internal';
import type { World } from './world.js';

/** Rows with a version column. A write of a lower version changes nothing; some answers get lost, some commits are late. */
export class SimulatedDatabase {
  readonly rows = new Map<string, Row>();

  constructor(
    readonly world: World,
    readonly random: Random,
  ) {}

  /** `done(false)`: the outcome is not known. */
  write(key: string, record: ReplicatedRecord, done: (done: boolean) => void): void {
    const commitMs = 1 + this.random.next() ** 4 * 400;
    this.world.after(commitMs, () => this.#commit(key, record));
    if (this.random.next() < 0.1) this.world.after(200, () => done(false));
    else this.world.after(commitMs + 1, () => done(true));
  }

  #commit(key: string, { epoch, seq, value }: ReplicatedRecord): void {
    const row = this.rows.get(key);
    if (row !== undefined && (row.epoch > epoch || (row.epoch === epoch && row.seq >= seq))) return;
    this.rows.set(key, { epoch, seq, value });
  }
}

export interface Row {
  readonly epoch: number;
  readonly seq: number;
  /** Undefined: deleted, and the version remembered. */
  readonly value: Uint8Array | undefined;
}
