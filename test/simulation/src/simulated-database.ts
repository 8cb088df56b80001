import type { Random } from '@larder/base';
import type { ReplicatedRecord } from '@larder/node/internal';
import type { World } from './world.js';

/**
 * Rows with a version column. A write of a lower version changes nothing; some answers get lost, some commits are late,
 * and none cares whether who asked for it is still alive.
 */
export class SimulatedDatabase {
  readonly rows = new Map<string, Row>();
  /** For stories told by hand: how long every statement takes, and no answer gets lost. */
  statementMs: number | undefined;

  constructor(
    readonly world: World,
    readonly random: Random,
  ) {}

  /** `done(false)`: the outcome is not known. */
  write(key: string, record: ReplicatedRecord, done: (done: boolean) => void): void {
    const commitMs = this.#commitMs();
    this.world.after(commitMs, () => this.#commit(key, record));
    if (this.random.next() < 0.1 || commitMs > ANSWER_MS_MAX) this.world.after(ANSWER_MS_MAX, () => done(false));
    else this.world.after(commitMs + 1, () => done(true));
  }

  /** One statement for one row. `existed`: whether there was a row before. */
  execute(key: string, row: Row, done: (outcome: StatementOutcome, existed: boolean) => void): void {
    const dice = this.statementMs === undefined ? this.random.next() : 1;
    const commitMs = this.#commitMs();
    if (dice < 0.05) {
      this.world.after(commitMs, () => done('refused', false));
      return;
    }
    let committed = false;
    let existed = false;
    this.world.after(commitMs, () => {
      existed = this.rows.get(key)?.value !== undefined;
      committed = this.#commit(key, row);
      this.world.tell(() => `database ${key} ${committed ? 'is' : 'refuses'} ${row.epoch}.${row.seq}`);
    });
    if (dice < 0.15 || commitMs > ANSWER_MS_MAX) this.world.after(ANSWER_MS_MAX, () => done('unknown', false));
    else this.world.after(commitMs + 1, () => done(committed ? 'done' : 'unknown', existed));
  }

  read(key: string, done: (value: Uint8Array | undefined) => void): void {
    let value: Uint8Array | undefined;
    const readMs = 0.5 + this.random.next() ** 3 * 60;
    this.world.after(readMs, () => {
      value = this.rows.get(key)?.value;
    });
    this.world.after(readMs + 0.5 + this.random.next() ** 3 * 30, () => done(value));
  }

  #commitMs(): number {
    if (this.statementMs !== undefined) return this.statementMs;
    return 1 + this.random.next() ** 6 * (STATEMENT_MS_MAX - 1);
  }

  /** Whether the row is of this version now. */
  #commit(key: string, { epoch, seq, value }: Row): boolean {
    const row = this.rows.get(key);
    if (row !== undefined && (row.epoch > epoch || (row.epoch === epoch && row.seq >= seq))) return false;
    this.rows.set(key, { epoch, seq, value });
    return true;
  }
}

/** A statement commits within this time, or never. */
export const STATEMENT_MS_MAX = 1_500;
/** Later answers are not waited for. */
const ANSWER_MS_MAX = 800;

export type StatementOutcome = 'done' | 'refused' | 'unknown';

export interface Row {
  readonly epoch: number;
  readonly seq: number;
  /** Undefined: deleted, and the version remembered. */
  readonly value: Uint8Array | undefined;
}
