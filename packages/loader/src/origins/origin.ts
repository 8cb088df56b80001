import { LarderError, type Outcome } from '@larder/proto';
import type { BreakerState } from './breaker.js';

export interface OriginRow {
  readonly key: string;
  readonly value: Uint8Array;
  /** `check` of this origin has accepted the row, so it need not look again. */
  readonly isChecked?: boolean;
  /** The version of the write, (epoch, seq): of two writes of one key the later one has the higher. */
  readonly epoch?: number;
  readonly seq?: number;
}

/** A version as one number, the text of a bigint: epochs count minutes from 2026 on and have 23 bits until 2041. */
export function rowVersion({ epoch = 0, seq = 0 }: OriginRow): string {
  return String(BigInt(epoch) * 2n ** 40n + BigInt(seq));
}

/**
 * The database behind a cache. The loader is its only caller; `contract/origin-laws.ts` checks most of these laws:
 *
 * 1. The keys of one call are distinct. Different calls may run at once, but never two that write one key.
 * 2. `loadMany` answers in the order of the keys. A key that no row can have ("abc" where keys are integers) is
 *    `undefined`, as is one whose row is missing: not an error.
 * 3. Two different keys never mean one row. "007" is not another name of row 7: reads miss it, writes refuse it.
 * 4. `writeMany` inserts or replaces all rows or none. If a row is to blame it rejects with ORIGIN, BAD_ARGUMENT or
 *    TOO_LARGE and outcome `not-applied`, and the loader splits the batch until it knows which one. An ORIGIN whose
 *    `details.blames` is 'statement' would hit every row alike and is not split. `details.row` may name the row's key:
 *    then the loader looks there first, and a wrong name costs statements only.
 * 5. Any other rejection means that the origin cannot serve now: ORIGIN_UNAVAILABLE. Its outcome is `not-applied` only
 *    if that is certain.
 * 6. `deleteMany` tells for each key whether there was a row. All or none.
 * 7. Every call ends within `callMsMax`.
 * 8. With a `fence`: whether a write may take effect is settled by the moment in which it was called, because the call
 *    takes up, before it returns its promise, what another node's `raise` makes void. So ask in the same turn whether
 *    the rows are still this node's, for each statement anew. A fenced write rejects with ORIGIN_UNAVAILABLE,
 *    `not-applied`, `details.fenced: true`, and what is called after that is under the new fence.
 */
export interface Origin {
  /** The longest that a call can take, and a statement can live on after its connection was lost. */
  readonly callMsMax: number;
  /** `signal` aborts when nobody wants the answer any more because the cache is being closed. */
  loadMany(keys: readonly string[], signal: AbortSignal): Promise<readonly (Uint8Array | undefined)[]>;
  writeMany(rows: readonly OriginRow[]): Promise<void>;
  deleteMany(keys: readonly string[]): Promise<readonly boolean[]>;
  /**
   * Why this row cannot be written, if that can be told without asking the database. It is asked before a write is
   * accepted, so that a write-behind caller hears of most mistakes at once.
   */
  check?(key: string, value: Uint8Array): LarderError | undefined;
  /** Nothing can be written: `writeMany` and `deleteMany` reject with READ_ONLY. Default false. */
  readonly isReadOnly?: boolean | undefined;
  /** Undefined: nothing can stop a write that is on its way, but it ends within `callMsMax`. */
  readonly fence?: OriginFence | undefined;
  /** Undefined: its calls always reach it. */
  readonly breaker?: { readonly state: BreakerState } | undefined;
  close(): Promise<void>;
}

export interface OriginFence {
  /**
   * No write that another node called before takes effect after it resolves: those under way have ended, those that
   * come later write nothing. Calls of one moment share the work; none joins work that has begun. Rejects with
   * ORIGIN_UNAVAILABLE within twice `callMsMax`; call it again then.
   */
  raise(): Promise<void>;
}

/** Nodes that took partitions over have fenced this one off. Nothing was written. */
export function isFenced(error: LarderError): boolean {
  return error.details?.fenced === true;
}

/** Whether splitting the batch can help: a row is to blame, not the connection and not the statement. */
export function blamesRow(error: LarderError): boolean {
  if (error.outcome === 'unknown' || error.details?.blames === 'statement') return false;
  return error.code === 'ORIGIN' || error.code === 'BAD_ARGUMENT' || error.code === 'TOO_LARGE';
}

/** What an origin threw, as the error that callers get. `outcome` is for what says nothing about it. */
export function toOriginError(thrown: unknown, outcome: Outcome | undefined): LarderError {
  if (thrown instanceof LarderError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new LarderError('ORIGIN_UNAVAILABLE', `the origin failed: ${reason}`, { outcome, cause: thrown });
}
