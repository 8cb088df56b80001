import { type KeySlice, keySlice, type LarderError, TTL_DEFAULT } from '@larder/proto';
import type { NodeCache } from '../caches.js';
import { checkKey, checkTtl, checkValue } from './operation-checks.js';
import type { ServerContext } from './server-context.js';

/** An operation that came through a generated codec, on Bulk or as a unary call. */
export interface RawOperation {
  readonly cache: string;
  readonly key: Buffer;
  /** 0 for operations that carry none. */
  readonly valueBytes: number;
  readonly ttlMs?: number | undefined;
}

export interface AdmittedOperation {
  readonly cache: NodeCache;
  readonly key: KeySlice;
  readonly ttlMs: number;
}

/** Waiting time of operations that do not name one; the same as on a session. */
export const DEFAULT_TIMEOUT_MS = 1_000;

/** Throws UNAVAILABLE, UNKNOWN_CACHE, BAD_ARGUMENT or TOO_LARGE, as the session does; ownership is the caller's to check. */
export function admit(context: ServerContext, raw: RawOperation): AdmittedOperation {
  if (context.draining) throw context.drainingError();
  const cache = context.caches.named(raw.cache);
  const ttlMs = raw.ttlMs ?? TTL_DEFAULT;
  refuse(checkKey(raw.key.length) ?? checkTtl(ttlMs) ?? checkValue(raw.valueBytes, context.valueBytesMax));
  return { cache, key: keySlice(raw.key), ttlMs };
}

function refuse(fault: LarderError | undefined): void {
  if (fault) throw fault;
}
