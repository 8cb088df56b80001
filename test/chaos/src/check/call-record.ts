/** How the caches of a chaos run keep what they are given: in memory only, or with a table behind them. */
export const CACHE_KINDS = ['memory', 'through', 'behind'] as const;
export type CacheKind = (typeof CACHE_KINDS)[number];

/**
 * One call of a client as it saw it. Times are those of the machine's monotonic clock, which all processes share.
 * Travels between processes as it is.
 */
export interface CallRecord {
  readonly cache: CacheKind;
  readonly key: string;
  readonly kind: 'get' | 'set' | 'delete';
  /** Which client process. */
  readonly client: string;
  readonly beganMs: number;
  readonly endedMs: number;
  /** `failed`: certainly not applied, or a read. `unknown`: a write that may have been applied, or may still be. */
  readonly outcome: 'ok' | 'failed' | 'unknown';
  /** What a set wrote. No two calls write the same. */
  readonly value?: string | undefined;
  /** What a get found, or whether a delete found something. */
  readonly result?: string | boolean | undefined;
  /** Of a set that was acknowledged. */
  readonly version?: bigint | undefined;
  /** Of a call that was not `ok`. */
  readonly error?: string | undefined;
}
