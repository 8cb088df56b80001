import type { Random } from '@larder/base';
import type { World } from './world.js';

/**
 * Rows with a version column: a write of a lower version changes nothing. Or rows without one, and a fence: each node has
 * a line there; a statement that names an old one does nothing, one that names the right one holds it until its commit,
 * and a raise waits for those. Some answers get lost, some commits are late, and none cares whether who asked for it is
 * still alive.
 */
export class SimulatedDatabase {
  readonly rows = new Map<string, Row>();
  /** For stories told by hand: how long every statement takes, and no answer gets lost. */
  statementMs: number | undefined;

  /** By node; it grows with each raise. */
  readonly #lines = new Map<string, number>();
  /** By node: when its last statement under way commits. */
  readonly #heldUntilMs = new Map<string, number>();
  /** By node and key: when the last statement sent arrives. A node's statements for a row come in order. */
  readonly #arrivesMs = new Map<string, number>();
  /** By key: when the last statement that has its lock commits. */
  readonly #lockedUntilMs = new Map<string, number>();

  constructor(
    readonly world: World,
    readonly random: Random,
    /** There is a fence, and no version column. */
    readonly fenced = false,
  ) {}

  lineOf(node: string): number {
    return this.#lines.get(node) ?? 0;
  }

  /** A node's program starts: what a former life of it began is over when `opened` is called. */
  openLine(node: string, opened: () => void): number {
    const line = this.lineOf(node) + 1;
    this.#lines.set(node, line);
    this.world.after(Math.max(0, (this.#heldUntilMs.get(node) ?? 0) - this.world.now) + 1, opened);
    return line;
  }

  /** Fences all other nodes off. `done(false)`: it is not known whether they are. */
  raise(by: string, done: (done: boolean) => void): void {
    this.world.after(1 + this.random.next() * 20, () => {
      let endsMs = this.world.now;
      for (const [node, line] of this.#lines) {
        if (node === by) continue;
        this.#lines.set(node, line + 1);
        endsMs = Math.max(endsMs, this.#heldUntilMs.get(node) ?? 0);
      }
      this.world.tell(() => `${by} raises the fence`);
      const isHeard = this.random.next() >= 0.1;
      this.world.after(endsMs - this.world.now + 1 + this.random.next() * 10, () => done(isHeard));
    });
  }

  /** `done(false)`: the outcome is not known, or the node was fenced off. */
  write(key: string, row: Row, { node, line }: Writer, done: (done: boolean, fenced: boolean) => void): void {
    if (this.fenced) {
      this.#executeFenced(key, row, { node, line }, (outcome) => done(outcome === 'done', outcome === 'fenced'));
      return;
    }
    const commitMs = this.#commitMs();
    this.world.after(commitMs, () => this.#commit(key, row));
    if (this.random.next() < 0.1 || commitMs > ANSWER_MS_MAX) this.world.after(ANSWER_MS_MAX, () => done(false, false));
    else this.world.after(commitMs + 1, () => done(true, false));
  }

  /** One statement for one row. `existed`: whether there was a row before. */
  execute(key: string, row: Row, writer: Writer, done: (outcome: StatementOutcome, existed: boolean) => void): void {
    if (this.fenced) {
      this.#executeFenced(key, row, writer, done);
      return;
    }
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

  /** On its way, then holding the line and waiting for the row, then committed. */
  #executeFenced(
    key: string,
    row: Row,
    { node, line }: Writer,
    done: (outcome: StatementOutcome, existed: boolean) => void,
  ): void {
    const dice = this.statementMs === undefined ? this.random.next() : 1;
    const commitMs = this.#commitMs();
    const sentMs = this.world.now;
    const answer = (outcome: StatementOutcome, existed: boolean): void => {
      const isLost = dice < 0.15 || this.world.now - sentMs > ANSWER_MS_MAX;
      this.world.after(1, () => done(isLost ? 'unknown' : outcome, existed));
    };
    // A moment behind the one before: two timers for the same time may go off in either order, by the last bit of the time.
    const beforeMs = this.#arrivesMs.get(`${node} ${key}`) ?? 0;
    const arrivesMs = Math.max(sentMs + commitMs * this.random.next(), beforeMs + 0.001);
    this.#arrivesMs.set(`${node} ${key}`, arrivesMs);
    this.world.after(arrivesMs - sentMs, () => {
      if (line !== this.lineOf(node)) answer('fenced', false);
      else if (dice < 0.05) this.world.after(1, () => done('refused', false));
      else this.#lockAndCommit(key, row, node, sentMs + commitMs, (existed) => answer('done', existed));
    });
  }

  #lockAndCommit(key: string, row: Row, node: string, commitMs: number, done: (existed: boolean) => void): void {
    const atMs = Math.max(commitMs, this.world.now, (this.#lockedUntilMs.get(key) ?? 0) + 0.01);
    this.#lockedUntilMs.set(key, atMs);
    this.#heldUntilMs.set(node, Math.max(atMs, this.#heldUntilMs.get(node) ?? 0));
    this.world.after(atMs - this.world.now, () => {
      const before = this.rows.get(key);
      if (before !== undefined && (before.epoch > row.epoch || (before.epoch === row.epoch && before.seq > row.seq))) {
        throw new Error(`row ${key} moved backwards, from ${before.epoch}.${before.seq} to ${row.epoch}.${row.seq}`);
      }
      this.rows.set(key, { epoch: row.epoch, seq: row.seq, value: row.value });
      this.world.tell(() => `database ${key} is ${row.epoch}.${row.seq}, by ${node}`);
      done(before?.value !== undefined);
    });
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

/** `fenced`: the node's line was raised, and nothing was done. */
export type StatementOutcome = 'done' | 'refused' | 'unknown' | 'fenced';

/** Whose statement it is, and the line that it names. */
export interface Writer {
  readonly node: string;
  readonly line: number;
}

export interface Row {
  readonly epoch: number;
  readonly seq: number;
  /** Undefined: deleted, and the version remembered. */
  readonly value: Uint8Array | undefined;
}
