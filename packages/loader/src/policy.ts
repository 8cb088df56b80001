import { type ByteSize, byteSize, type Duration, durationMs } from '@larder/base';
import { TTL_MS_MAX } from '@larder/proto';
import { z } from 'zod';
import { checkConfig, configError, configMistake } from './config-check.js';
import {
  blockSetting,
  byteSizeSetting,
  choiceSetting,
  countSetting,
  durationOrNullSetting,
  durationSetting,
  shareSetting,
} from './config-schema.js';
import { type OriginPolicy, originPolicySchema } from './origins/origin-policy.js';
import {
  type RefreshPolicy,
  type ResolvedRefreshPolicy,
  refreshPolicySchema,
  resolveRefreshPolicy,
} from './refresh-policy.js';
import { templateFields, templateMistake } from './tags/value-tags.js';

/**
 * What a cache is declared with: the `caches.NAME` block of the configuration. Everything is optional; the defaults and
 * all checks are in `resolveCachePolicy`, and everything behind it takes the resolved form.
 */
export interface CachePolicy {
  /** `through`: the owner loads a miss from the origin. `aside`: a miss is a miss. Default: through if there is an origin. */
  readonly read?: ReadStrategyName | undefined;
  /**
   * `through`: origin first, then memory, then the answer. `behind`: memory and the answer, the origin later in batches.
   * `around`: origin only, and the entry is forgotten. `memory`: no origin. Default: through if there is an origin that
   * can be written.
   */
  readonly write?: WriteStrategyName | undefined;
  readonly origin?: OriginPolicy | undefined;
  /** Life of an entry; null: it never expires. Default 10m with an origin, else null. */
  readonly ttl?: Duration | null | undefined;
  /**
   * An entry that nobody asks for this long expires; a get renews its life when an eighth of it is over. In place of
   * `ttl`. A longer life that a call has given is kept. At least 100ms. Default null: reads renew nothing.
   */
  readonly idle?: Duration | null | undefined;
  /** 0 to 0.5: up to this share is taken off `ttl`, or off the first `idle` of an entry, by chance, so that entries do not expire together. Default 0.1. */
  readonly jitter?: number | undefined;
  /**
   * Read-through: how long an entry is kept beyond its life and served, marked as stale, while the origin is away. Default
   * null: not at all.
   */
  readonly staleFor?: Duration | null | undefined;
  /** Read-through: which entries are reloaded before their life is over. Default null: none. */
  readonly refreshAhead?: RefreshPolicy | null | undefined;
  /** How long "no such row" is remembered; 0 or null: not at all. Default 1s. */
  readonly negativeTtl?: Duration | null | undefined;
  /** Write-around: false leaves a cached value alone, for rows that are written once. Default true. */
  readonly invalidate?: boolean | undefined;
  /**
   * Cache-aside: how long one caller of `getOrSet` may load while the others wait for it; then the next one of them loads.
   * Default 10s.
   */
  readonly leaseTimeout?: Duration | undefined;
  /**
   * Of values that the origin brings or that are set without tags: up to 32 templates such as `product:{id}`, where the name is
   * a field of the value, a JSON object. What cannot be made out gives no tag. Default none.
   */
  readonly tags?: readonly string[] | undefined;
  readonly loads?: LoadPolicy | undefined;
  readonly writes?: WritePolicy | undefined;
  readonly writeBehind?: WriteBehindPolicy | undefined;
  /** Hard bound of the cache's memory on each node. Default 64MiB. */
  readonly memory?: ByteSize | undefined;
  /** Who leaves when the memory is full. Default adaptive. */
  readonly eviction?: EvictionName | undefined;
}

/** Read-through. */
export interface LoadPolicy {
  /** Keys of one statement. Default 1,000. */
  readonly maxBatch?: number | undefined;
  /** Statements in flight. Default 4. Further misses gather until one ends. */
  readonly maxStatements?: number | undefined;
  /** Gets that wait for the origin; BUSY above. Default 50,000. */
  readonly maxWaiting?: number | undefined;
}

/** Write-through and write-around: concurrent writes to different keys share a statement. */
export interface WritePolicy {
  /** Rows of one statement. Default 1,000. */
  readonly maxBatch?: number | undefined;
  /** Statements in flight. Default 2. Further writes gather until one ends. */
  readonly maxStatements?: number | undefined;
  /** Writes that wait for the origin; BUSY above. Default 50,000. */
  readonly maxPending?: number | undefined;
  /** Bytes of keys and values that wait; BUSY above. Default 64MiB. */
  readonly maxPendingBytes?: ByteSize | undefined;
}

export interface WriteBehindPolicy {
  /** The oldest pending write is flushed after this; null: only `flushSize` triggers. Default 1s. */
  readonly maxDelay?: Duration | null | undefined;
  /** This many pending writes are flushed at once; null: only `maxDelay` triggers. Default 1,000. */
  readonly flushSize?: number | null | undefined;
  /** Rows of one statement. Default 1,000. */
  readonly maxBatch?: number | undefined;
  /** Statements in flight. Default 2. */
  readonly maxStatements?: number | undefined;
  /** Keys that are not yet in the origin; BUSY above. Default 100,000. */
  readonly maxPending?: number | undefined;
  /** Bytes of their keys and values; BUSY above. Default half of `memory`, where they are pinned. */
  readonly maxPendingBytes?: ByteSize | undefined;
  /** New writes get BUSY while the oldest pending one is older. Rows that the origin refuses do not count. Default 60s. */
  readonly maxAge?: Duration | undefined;
  /**
   * What becomes of a write at one of these bounds: `refuse` answers BUSY; `through` makes it a write-through, which
   * waits for the origin. Default refuse.
   */
  readonly whenFull?: WhenFull | undefined;
  /**
   * After so many refusals by the origin a row is not tried again by itself, but stays a dead letter; null: it is tried
   * for ever. Default 5.
   */
  readonly deadLetterAfter?: number | null | undefined;
  /** First delay before a failed flush is tried again; it doubles each time, up to 1s while the origin is down. Default 100ms. */
  readonly retryFirst?: Duration | undefined;
  /** Longest such delay of a row that the origin refuses. Default 30s. */
  readonly retryMax?: Duration | undefined;
}

export const READ_STRATEGIES = ['through', 'aside'] as const;
export type ReadStrategyName = (typeof READ_STRATEGIES)[number];
export const WRITE_STRATEGIES = ['through', 'behind', 'around', 'memory'] as const;
export type WriteStrategyName = (typeof WRITE_STRATEGIES)[number];
const WHEN_FULL = ['refuse', 'through'] as const;
export type WhenFull = (typeof WHEN_FULL)[number];
export const EVICTIONS = ['adaptive', 'lru', 'lfu', 'fifo', 'ttl', 'random'] as const;
export type EvictionName = (typeof EVICTIONS)[number];

const HOUR_MS = 3_600_000;
/** A key that is read all the time is renewed eight times in its idle time: no more than 80 times a second. */
const IDLE_MS_MIN = 100;
const MEBIBYTE = 1024 ** 2;
const TEBIBYTE = 1024 ** 4;
const batchSetting = countSetting(1, 10_000);
const statementsSetting = countSetting(1, 32);
/** No bound of waiting operations can be set higher. */
export const PENDING_COUNT_MAX = 10_000_000;
const pendingSetting = countSetting(1, PENDING_COUNT_MAX);

const loadPolicySchema = blockSetting({
  maxBatch: batchSetting.optional(),
  maxStatements: statementsSetting.optional(),
  maxWaiting: pendingSetting.optional(),
});

const writePolicySchema = blockSetting({
  maxBatch: batchSetting.optional(),
  maxStatements: statementsSetting.optional(),
  maxPending: pendingSetting.optional(),
  maxPendingBytes: byteSizeSetting(1024, TEBIBYTE).optional(),
});

const writeBehindPolicySchema = blockSetting({
  maxDelay: durationOrNullSetting(0, HOUR_MS).optional(),
  flushSize: pendingSetting.nullable().optional(),
  maxBatch: batchSetting.optional(),
  maxStatements: statementsSetting.optional(),
  maxPending: pendingSetting.optional(),
  maxPendingBytes: byteSizeSetting(1024, TEBIBYTE).optional(),
  maxAge: durationSetting(1, 24 * HOUR_MS).optional(),
  whenFull: choiceSetting(WHEN_FULL).optional(),
  deadLetterAfter: countSetting(1, 1_000).nullable().optional(),
  retryFirst: durationSetting(1, HOUR_MS).optional(),
  retryMax: durationSetting(1, HOUR_MS).optional(),
});

const TEMPLATES = "a list of templates such as 'product:{id}'";

/** The piece that the node's configuration schema composes. It does not see contradictions: resolveCachePolicy does. */
export const cachePolicySchema: z.ZodType<CachePolicy> = blockSetting({
  read: choiceSetting(READ_STRATEGIES).optional(),
  write: choiceSetting(WRITE_STRATEGIES).optional(),
  origin: originPolicySchema.optional(),
  ttl: durationOrNullSetting(1, TTL_MS_MAX).optional(),
  idle: durationOrNullSetting(IDLE_MS_MIN, TTL_MS_MAX).optional(),
  jitter: shareSetting(0, 0.5).optional(),
  negativeTtl: durationOrNullSetting(0, TTL_MS_MAX).optional(),
  staleFor: durationOrNullSetting(1, TTL_MS_MAX).optional(),
  refreshAhead: refreshPolicySchema.nullable().optional(),
  invalidate: z.boolean({ error: 'true, false' }).optional(),
  leaseTimeout: durationSetting(100, HOUR_MS).optional(),
  tags: z.array(z.string({ error: TEMPLATES }), { error: TEMPLATES }).optional(),
  loads: loadPolicySchema.optional(),
  writes: writePolicySchema.optional(),
  writeBehind: writeBehindPolicySchema.optional(),
  memory: byteSizeSetting(MEBIBYTE, TEBIBYTE).optional(),
  eviction: choiceSetting(EVICTIONS).optional(),
});

export interface ResolvedCachePolicy {
  readonly read: ReadStrategyName;
  readonly write: WriteStrategyName;
  readonly origin: OriginPolicy | undefined;
  /** 0: never expires. */
  readonly ttlMs: number;
  /** 0: reads renew nothing. */
  readonly idleMs: number;
  readonly jitter: number;
  /** 0: none. */
  readonly staleForMs: number;
  readonly refreshAhead: ResolvedRefreshPolicy | undefined;
  /** 0: "no such row" is not remembered. */
  readonly negativeTtlMs: number;
  readonly invalidate: boolean;
  readonly leaseMs: number;
  /** Templates; see ValueTags. */
  readonly tags: readonly string[];
  readonly loads: ResolvedLoadPolicy;
  readonly writes: ResolvedWritePolicy;
  readonly writeBehind: ResolvedWriteBehindPolicy;
  readonly memoryBytesMax: number;
  readonly eviction: EvictionName;
}

export interface ResolvedLoadPolicy {
  readonly batchMax: number;
  readonly statementsMax: number;
  readonly waitingMax: number;
}

export interface ResolvedWritePolicy {
  readonly batchMax: number;
  readonly statementsMax: number;
  readonly pendingMax: number;
  readonly pendingBytesMax: number;
}

export interface ResolvedWriteBehindPolicy extends ResolvedWritePolicy {
  /** Infinity: time does not trigger a flush. */
  readonly delayMs: number;
  /** Infinity: the number of pending writes does not trigger one. */
  readonly flushSize: number;
  readonly ageMsMax: number;
  readonly whenFull: WhenFull;
  /** Infinity: a refused row is tried for ever. */
  readonly attemptsMax: number;
  readonly retryFirstMs: number;
  readonly retryMsMax: number;
}

/** Checks a policy and fills in its defaults. Throws CONFIG with a line for every mistake; `path` is where it stands. */
export function resolveCachePolicy(policy: unknown, path = 'cache'): ResolvedCachePolicy {
  const given = checkConfig(cachePolicySchema, policy ?? {}, path);
  const read = given.read ?? (given.origin ? 'through' : 'aside');
  const write = given.write ?? (given.origin && !given.origin.postgresQuery ? 'through' : 'memory');
  const memoryBytesMax = byteSize(given.memory ?? '64MiB') as number;
  const idleMs = orElse(given.idle, null) ?? 0;
  const resolved: ResolvedCachePolicy = {
    read,
    write,
    origin: given.origin,
    ttlMs: idleMs || (orElse(given.ttl, given.origin ? '10m' : null) ?? 0),
    idleMs,
    jitter: given.jitter ?? 0.1,
    staleForMs: orElse(given.staleFor, null) ?? 0,
    refreshAhead: given.refreshAhead ? resolveRefreshPolicy(given.refreshAhead) : undefined,
    negativeTtlMs: orElse(given.negativeTtl, '1s') ?? 0,
    invalidate: given.invalidate ?? true,
    leaseMs: durationMs(given.leaseTimeout ?? '10s') as number,
    tags: given.tags ?? [],
    loads: resolveLoads(given.loads ?? {}),
    writes: resolveWrites(given.writes ?? {}),
    writeBehind: resolveWriteBehind(given.writeBehind ?? {}, memoryBytesMax),
    memoryBytesMax,
    eviction: given.eviction ?? 'adaptive',
  };
  const contradictions = [
    ...freshnessContradictions(given, resolved, path),
    ...strategyContradictions(given, resolved, path),
    ...boundContradictions(given, resolved, path),
  ];
  if (contradictions.length > 0) throw configError(contradictions);
  return resolved;
}

function resolveLoads(given: LoadPolicy): ResolvedLoadPolicy {
  return {
    batchMax: given.maxBatch ?? 1000,
    statementsMax: given.maxStatements ?? 4,
    waitingMax: given.maxWaiting ?? 50_000,
  };
}

function resolveWrites(given: WritePolicy): ResolvedWritePolicy {
  return {
    batchMax: given.maxBatch ?? 1000,
    statementsMax: given.maxStatements ?? 2,
    pendingMax: given.maxPending ?? 50_000,
    pendingBytesMax: byteSize(given.maxPendingBytes ?? '64MiB') as number,
  };
}

function resolveWriteBehind(given: WriteBehindPolicy, memoryBytesMax: number): ResolvedWriteBehindPolicy {
  return {
    delayMs: orElse(given.maxDelay, '1s') ?? Number.POSITIVE_INFINITY,
    flushSize: given.flushSize === null ? Number.POSITIVE_INFINITY : (given.flushSize ?? 1000),
    batchMax: given.maxBatch ?? 1000,
    statementsMax: given.maxStatements ?? 2,
    pendingMax: given.maxPending ?? 100_000,
    pendingBytesMax: byteSize(given.maxPendingBytes ?? Math.floor(memoryBytesMax / 2)) as number,
    ageMsMax: durationMs(given.maxAge ?? '60s') as number,
    whenFull: given.whenFull ?? 'refuse',
    attemptsMax: given.deadLetterAfter === null ? Number.POSITIVE_INFINITY : (given.deadLetterAfter ?? 5),
    retryFirstMs: durationMs(given.retryFirst ?? '100ms') as number,
    retryMsMax: durationMs(given.retryMax ?? '30s') as number,
  };
}

/** Null, and only null, switches off; undefined means the default. */
function orElse(given: Duration | null | undefined, byDefault: Duration | null): number | undefined {
  const chosen = given === undefined ? byDefault : given;
  return chosen === null ? undefined : durationMs(chosen);
}

function strategyContradictions(given: CachePolicy, { read, write }: ResolvedCachePolicy, path: string): string[] {
  const found: string[] = [];
  const mistake = (setting: string, value: unknown, allowed: string): void => {
    found.push(configMistake(`${path}.${setting}`, value, allowed));
  };
  if (!given.origin && read === 'through') mistake('read', read, "'aside', because the cache has no origin");
  if (!given.origin && write !== 'memory') mistake('write', write, "'memory', because the cache has no origin");
  if (given.origin?.postgresQuery && write !== 'memory')
    mistake('write', write, "'memory', because the cache's origin is a query, which can only be read");
  if (given.origin && read === 'aside' && write === 'memory') {
    mistake('origin', given.origin, "none, because read: 'aside' with write: 'memory' never asks it");
  }
  // A call may ask for another strategy than the cache's, and that one for its settings.
  if (given.writeBehind && !given.origin)
    mistake('writeBehind', given.writeBehind, 'none, because the cache has no origin');
  if (given.writes && !given.origin) mistake('writes', given.writes, 'none, because the cache has no origin');
  if (given.idle && given.ttl) mistake('ttl', given.ttl, 'none, because idle says how long entries live');
  if (given.loads && read !== 'through') mistake('loads', given.loads, `none, because read is '${read}'`);
  if (given.negativeTtl && read !== 'through')
    mistake('negativeTtl', given.negativeTtl, `none, because read is '${read}'`);
  if (given.invalidate !== undefined && !given.origin)
    mistake('invalidate', given.invalidate, 'none, because the cache has no origin');
  const wrongTags = tagsMistake(given, write);
  if (wrongTags !== undefined) mistake('tags', given.tags, wrongTags);
  return found;
}

/** A template that names no column would give no tag to any row, and nobody would notice. */
function tagsMistake({ tags = [], origin }: CachePolicy, write: WriteStrategyName): string | undefined {
  const wrongTemplates = templateMistake(tags);
  const { columns, key = [] } = origin?.postgresTable ?? {};
  // What is written to memory only may have any fields.
  if (wrongTemplates !== undefined || columns === undefined || write === 'memory') return wrongTemplates;
  const fields = [...new Set([...columns, ...[key].flat()])];
  if (templateFields(tags).every((field) => fields.includes(field))) return undefined;
  return `templates with names of columns in braces: the values of this cache have ${fields.join(', ')}`;
}

function freshnessContradictions(
  given: CachePolicy,
  { read, ttlMs, idleMs }: ResolvedCachePolicy,
  path: string,
): string[] {
  const { staleFor, refreshAhead: refresh } = given;
  const found: string[] = [];
  const mistake = (setting: string, value: unknown, allowed: string): void => {
    found.push(configMistake(`${path}.${setting}`, value, allowed));
  };
  if (staleFor && read !== 'through') mistake('staleFor', staleFor, `none, because read is '${read}'`);
  else if (staleFor && ttlMs === 0) mistake('staleFor', staleFor, 'none, because ttl is null and nothing expires');
  if (!refresh) return found;
  const { fraction, early, interval, keys } = refresh;
  if (read !== 'through') mistake('refreshAhead', refresh, `none, because read is '${read}'`);
  else if (idleMs > 0) mistake('refreshAhead', refresh, 'none, because idle keeps what is read as it is');
  else if (ttlMs === 0 && keys === undefined)
    mistake('refreshAhead', refresh, 'interval and keys, because ttl is null');
  if (fraction !== undefined && early !== undefined)
    mistake('refreshAhead.early', early, 'none, because fraction is given: one of the two');
  if (keys && interval === undefined) mistake('refreshAhead.interval', interval, 'a duration, because keys are listed');
  if (interval !== undefined && !keys)
    mistake('refreshAhead.keys', keys, 'the keys to reload, because interval is given');
  return found;
}

function boundContradictions(
  given: CachePolicy,
  { write, writeBehind, memoryBytesMax }: ResolvedCachePolicy,
  path: string,
): string[] {
  if (write !== 'behind' && !given.writeBehind) return [];
  const { delayMs, flushSize, pendingMax, pendingBytesMax, ageMsMax, retryFirstMs, retryMsMax } = writeBehind;
  const asked = given.writeBehind ?? {};
  const found: string[] = [];
  const mistake = (setting: string, value: unknown, allowed: string): void => {
    found.push(configMistake(`${path}.writeBehind.${setting}`, value, allowed));
  };
  if (delayMs === Number.POSITIVE_INFINITY && flushSize === Number.POSITIVE_INFINITY) {
    mistake('maxDelay', null, 'a duration, because flushSize is null too and nothing would trigger a flush');
  }
  if (delayMs !== Number.POSITIVE_INFINITY && delayMs >= ageMsMax)
    mistake('maxDelay', asked.maxDelay ?? '1s', `less than maxAge, ${ageMsMax} ms`);
  if (flushSize !== Number.POSITIVE_INFINITY && flushSize > pendingMax) {
    mistake('flushSize', flushSize, `at most maxPending, ${pendingMax}, where new writes are refused`);
  }
  if (pendingBytesMax > memoryBytesMax)
    mistake('maxPendingBytes', asked.maxPendingBytes, `at most the cache's memory, ${memoryBytesMax} bytes`);
  if (retryFirstMs > retryMsMax)
    mistake('retryFirst', asked.retryFirst ?? '100ms', `at most retryMax, ${retryMsMax} ms`);
  return found;
}
