import type { Duration } from '@larder/base';
import { LarderError, type OperationExtras, ReadMode, TTL_DEFAULT, TTL_MS_MAX, TTL_NEVER } from '@larder/proto';
import type { Acknowledgement } from './acknowledgement.js';
import type { Codec } from './codecs/codec.js';
import { durationMs, timeoutMs } from './options.js';
import { shownValue } from './shown-value.js';
import type { WriteStrategy } from './write-strategy.js';

export interface CacheOptions<V> {
  /** Default: the client's codec. Caches with a database origin speak JSON. */
  readonly codec?: Codec<V>;
  /** Life of what is set, unless the call says otherwise. Absent: the node's policy. null: never expires. */
  readonly ttl?: Duration | null;
  /** Of writes, unless the call says otherwise. Default: the client's. */
  readonly ack?: Acknowledgement;
}

export interface CallOptions {
  /** Ends the wait with ABORTED; a write may have been applied: see `outcome`. */
  readonly signal?: AbortSignal;
  /** How long the call may take before TIMEOUT; 1 ms to 10 min. Default: the client's. */
  readonly timeout?: Duration;
}

/**
 * Where a read looks. `aside`: in memory only. `through`: a miss is loaded from the database behind the cache. `fresh`: in the
 * database, whatever memory has, and what it says is stored; only a write that is not yet there is answered from memory.
 */
export type ReadStrategy = 'aside' | 'through' | 'fresh';

export interface ReadOptions extends CallOptions {
  /** Default: as the cache is declared. BAD_ARGUMENT where `through` or `fresh` finds no database. */
  readonly read?: ReadStrategy;
}

const READ_EXTRAS: Readonly<Record<ReadStrategy, OperationExtras>> = {
  aside: { read: ReadMode.aside },
  through: { read: ReadMode.through },
  fresh: { read: ReadMode.fresh },
};

/** Undefined: as the cache is declared. Throws BAD_ARGUMENT. */
export function wireRead(options: ReadOptions | undefined): OperationExtras | undefined {
  const read = options?.read;
  if (read === undefined) return undefined;
  if (Object.hasOwn(READ_EXTRAS, read)) return READ_EXTRAS[read];
  throw new LarderError('BAD_ARGUMENT', `read is ${shownValue(read)}; allowed are 'aside', 'through' and 'fresh'`);
}

export interface WriteOptions extends CallOptions {
  /** Default: the cache's. */
  readonly ack?: Acknowledgement;
}

export interface DeleteOptions extends WriteOptions {
  /** How this call writes. Default: as the cache's policy on the nodes says. */
  readonly write?: WriteStrategy;
}

export interface SetOptions extends DeleteOptions {
  /** Absent: the cache's. null: never expires. */
  readonly ttl?: Duration | null;
  /** By which `invalidateTags` forgets the entry: up to 32, of 1 to 128 bytes. Absent or empty: those that the cache's policy names. */
  readonly tags?: readonly string[];
}

/** A time to live as it travels. Throws BAD_ARGUMENT. */
export function wireTtl(given: Duration | null | undefined): number {
  if (given === undefined) return TTL_DEFAULT;
  if (given === null) return TTL_NEVER;
  const ttlMs = durationMs('ttl', given);
  if (ttlMs > 0 && ttlMs <= TTL_MS_MAX) return Math.ceil(ttlMs);
  throw badTtl(given);
}

/** Like `wireTtl`, but there must be one. */
export function requiredWireTtl(given: Duration | null): number {
  if (given === undefined) throw badTtl(given);
  return wireTtl(given);
}

/** 0: the session's default. Throws BAD_ARGUMENT. */
export function wireTimeout(options: CallOptions | undefined): number {
  if (options === undefined) return 0;
  if (typeof options !== 'object' || options === null) throw badOptions(options);
  return timeoutMs('timeout', options.timeout, 0);
}

/** Such as a bare ttl as the last argument: passed over, it would mean an entry that never expires. */
function badOptions(given: unknown): LarderError {
  return new LarderError('BAD_ARGUMENT', `options is ${shownValue(given)}; allowed is an object like { ttl: '30s' }`, {
    outcome: 'not-applied',
  });
}

function badTtl(given: unknown): LarderError {
  return new LarderError(
    'BAD_ARGUMENT',
    `ttl is ${shownValue(given)}; allowed are more than 0 up to ${TTL_MS_MAX} ms, or null for no expiry`,
    { outcome: 'not-applied' },
  );
}
