import { type ByteSize, byteSize, type Duration, durationMs } from '@larder/base';
import {
  blockSetting,
  byteSizeSetting,
  type CachePolicy,
  cachePolicySchema,
  choiceSetting,
  countSetting,
  databaseSetting,
  durationSetting,
  type PostgresDatabaseOptions,
  postgresDatabaseSchema,
  type ResolvedCachePolicy,
  type ResolvedPostgresDatabaseOptions,
  resolveCachePolicy,
  resolvePostgresDatabaseOptions,
} from '@larder/loader';
import { CACHE_COUNT_MAX, CACHE_NAME_LENGTH_MAX, LarderError, VALUE_BYTES_MAX_CEILING } from '@larder/proto';
import { z } from 'zod';
import { type ClusterTimers, TIMER_PRESETS, type TimerPreset } from './cluster/timers.js';
import { readConfigFile } from './config/config-file.js';
import type { Environment } from './config/environment.js';
import { configError, problemText, schemaProblems } from './config/problems.js';

/** What a config file may say. Everything but `caches` has a default. All nodes of a cluster have the same file. */
export interface NodeConfig {
  /** Hard bound of what all caches of the node take, index and metadata included. Default 512MiB, at most 8GiB. */
  readonly memory?: ByteSize | undefined;
  readonly limits?: NodeLimits | undefined;
  /** The PostgreSQL server behind the caches, if there is one; the same as `databases` with the single name `default`. */
  readonly database?: PostgresDatabaseOptions | undefined;
  /** PostgreSQL servers by name; `database` in a cache's `origin.postgresTable` or `origin.postgresQuery` says which. */
  readonly databases?: Readonly<Record<string, PostgresDatabaseOptions>> | undefined;
  /** What is logged: this level and the graver ones. Default info. */
  readonly logLevel?: LogLevel | undefined;
  /** How long a node that was told to stop waits for what is in flight and for pending writes. Default 10s. */
  readonly drainTimeout?: Duration | undefined;
  /** Read once, by the node that founds the cluster. */
  readonly cluster?: ClusterOptions | undefined;
  readonly caches: Readonly<Record<string, CachePolicy>>;
}

export interface ClusterOptions {
  /** Nodes that hold each entry, 1 or 2. Default 2: with 1 nothing is replicated, and what a node holds dies with it. */
  readonly copies?: number | undefined;
  /** Below it writes of a partition are refused, BUSY. Default 1: a cluster that has lost a node goes on taking writes. */
  readonly minCopies?: number | undefined;
  /** How soon a silent node is given up: `lan` after 1 s, `wan` after 4 s. Default lan. */
  readonly timers?: TimerPreset | undefined;
}

export interface NodeLimits {
  /** TOO_LARGE above. Default 8MiB, at most 64MiB. */
  readonly valueBytesMax?: ByteSize | undefined;
  /** Sessions, that is connected clients; BUSY above. Default 1,024. */
  readonly sessionsMax?: number | undefined;
  /** Memory, beside `memory`, for large values that are being transferred or forwarded; BUSY above. Default 128MiB. */
  readonly transferBytesMax?: ByteSize | undefined;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const MEBIBYTE = 1024 ** 2;
const GIBIBYTE = 1024 ** 3;
/** What the storage can address; more needs more nodes. */
const MEMORY_BYTES_MAX = 8 * GIBIBYTE;
/** Less would hardly hold a cache's index: 1,024 partitions have a table each. */
const CACHE_BYTES_MIN = MEBIBYTE;

const nameKey = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9._-]*$/)
  .max(CACHE_NAME_LENGTH_MAX);
const NAME_FORM = `a letter, then letters, digits, dots, hyphens and underscores, ${CACHE_NAME_LENGTH_MAX} in all`;
const named = <Value extends z.ZodType>(what: string, value: Value) =>
  z.record(nameKey, value, {
    error: (issue) => (issue.code === 'invalid_key' ? NAME_FORM : what),
  });

const configSchema: z.ZodType<NodeConfig> = blockSetting({
  memory: byteSizeSetting(MEBIBYTE, MEMORY_BYTES_MAX).optional(),
  limits: blockSetting({
    valueBytesMax: byteSizeSetting(1, VALUE_BYTES_MAX_CEILING).optional(),
    sessionsMax: countSetting(1, 100_000).optional(),
    transferBytesMax: byteSizeSetting(MEBIBYTE, 64 * GIBIBYTE).optional(),
  }).optional(),
  database: postgresDatabaseSchema.optional(),
  databases: named('databases by name', postgresDatabaseSchema).optional(),
  logLevel: choiceSetting(LOG_LEVELS).optional(),
  drainTimeout: durationSetting(0, 3_600_000).optional(),
  cluster: blockSetting({
    copies: countSetting(1, 2).optional(),
    minCopies: countSetting(1, 2).optional(),
    timers: choiceSetting(['lan', 'wan']).optional(),
  }).optional(),
  caches: named('caches by name', cachePolicySchema),
});

export interface ResolvedNodeConfig {
  /** Where it was read from; for messages. */
  readonly file: string;
  readonly memoryBytesMax: number;
  readonly valueBytesMax: number;
  readonly sessionsMax: number;
  readonly transferBytesMax: number;
  readonly databases: ReadonlyMap<string, ResolvedPostgresDatabaseOptions>;
  readonly logLevel: LogLevel;
  readonly drainTimeoutMs: number;
  readonly copies: 1 | 2;
  readonly copiesMin: 1 | 2;
  readonly timers: ClusterTimers;
  /** In the order of the file. */
  readonly caches: ReadonlyMap<string, ResolvedCachePolicy>;
}

/** Throws CONFIG, with its exit code and with every problem of the file. */
export async function readNodeConfig(path: string, environment: Environment): Promise<ResolvedNodeConfig> {
  return resolveNodeConfig(await readConfigFile(path, environment), path);
}

/** Checks a config and fills in its defaults. `file` is for messages. */
export function resolveNodeConfig(raw: unknown, file: string): ResolvedNodeConfig {
  const parsed = configSchema.safeParse(raw);
  if (!parsed.success) throw configError(file, schemaProblems(configSchema, raw, parsed.error.issues));
  const problems: string[] = [];
  const config = parsed.data;
  const limits = config.limits ?? {};
  const memoryBytesMax = byteSize(config.memory ?? '512MiB') as number;
  const valueBytesMax = byteSize(limits.valueBytesMax ?? '8MiB') as number;
  const transferBytesMax = byteSize(limits.transferBytesMax ?? '128MiB') as number;
  if (transferBytesMax < valueBytesMax) {
    problems.push(
      problemText(['limits', 'transferBytesMax'], limits.transferBytesMax ?? '128MiB', 'at least limits.valueBytesMax'),
    );
  }
  const copies = config.cluster?.copies ?? 2;
  const copiesMin = config.cluster?.minCopies ?? 1;
  if (copiesMin > copies) problems.push(problemText(['cluster', 'minCopies'], copiesMin, 'at most cluster.copies'));
  const databases = resolveDatabases(config, problems);
  const caches = resolveCaches(config, memoryBytesMax, databases, problems);
  if (problems.length > 0) throw configError(file, problems);
  return {
    file,
    memoryBytesMax,
    valueBytesMax,
    sessionsMax: limits.sessionsMax ?? 1024,
    transferBytesMax,
    databases,
    logLevel: config.logLevel ?? 'info',
    drainTimeoutMs: durationMs(config.drainTimeout ?? '10s') as number,
    copies: copies as 1 | 2,
    copiesMin: copiesMin as 1 | 2,
    timers: TIMER_PRESETS[config.cluster?.timers ?? 'lan'],
    caches,
  };
}

function resolveDatabases(config: NodeConfig, problems: string[]): Map<string, ResolvedPostgresDatabaseOptions> {
  const resolved = new Map<string, ResolvedPostgresDatabaseOptions>();
  if (config.database && config.databases) {
    problems.push('database: given beside databases; allowed: one of the two');
  }
  if (config.database) resolved.set('default', resolvePostgresDatabaseOptions(config.database, 'database'));
  for (const [name, options] of Object.entries(config.databases ?? {})) {
    resolved.set(name, resolvePostgresDatabaseOptions(options, `databases.${name}`));
  }
  return resolved;
}

function resolveCaches(
  config: NodeConfig,
  memoryBytesMax: number,
  databases: ReadonlyMap<string, unknown>,
  problems: string[],
): Map<string, ResolvedCachePolicy> {
  const declared = Object.entries(config.caches);
  if (declared.length === 0 || declared.length > CACHE_COUNT_MAX) {
    problems.push(`caches: ${declared.length} caches given; allowed: 1 to ${CACHE_COUNT_MAX}`);
    return new Map();
  }
  const shareBytes = shareOfRest(config, memoryBytesMax, problems);
  const resolved = new Map<string, ResolvedCachePolicy>();
  for (const [name, policy] of declared) {
    const path = ['caches', name];
    problems.push(...databaseProblems(policy, path, databases));
    try {
      resolved.set(name, resolveCachePolicy({ ...policy, memory: policy.memory ?? shareBytes }, path.join('.')));
    } catch (error) {
      if (!(error instanceof LarderError)) throw error;
      problems.push(...error.reason.split('\n'));
    }
  }
  return resolved;
}

/** Caches that name no memory share, in equal parts, what those that do have left. */
function shareOfRest(config: NodeConfig, memoryBytesMax: number, problems: string[]): number {
  const caches = Object.values(config.caches);
  const givenBytes = caches.reduce((sum, cache) => sum + (byteSize(cache.memory ?? 0) as number), 0);
  const sharing = caches.filter((cache) => cache.memory === undefined).length;
  const shareBytes = Math.floor((memoryBytesMax - givenBytes) / Math.max(1, sharing));
  if (givenBytes > memoryBytesMax || (sharing > 0 && shareBytes < CACHE_BYTES_MIN)) {
    const rest = sharing > 0 ? ` and ${sharing} more need ${CACHE_BYTES_MIN} bytes each at least` : '';
    problems.push(
      `memory: ${memoryBytesMax} bytes, but the caches' own memory adds up to ${givenBytes}${rest}; allowed: what they need, or more`,
    );
  }
  return Math.max(CACHE_BYTES_MIN, shareBytes);
}

function databaseProblems(policy: CachePolicy, path: string[], databases: ReadonlyMap<string, unknown>): string[] {
  const setting = policy.origin && databaseSetting(policy.origin);
  if (!setting) return [];
  const known = [...databases.keys()];
  const at = [...path, 'origin', setting.kind, 'database'];
  const { database } = setting;
  if (database === undefined) {
    if (known.length === 1) return [];
    return [
      problemText(at, undefined, known.length === 0 ? 'a database; declare one under database' : known.join(', ')),
    ];
  }
  return databases.has(database) ? [] : [problemText(at, database, known.join(', ') || 'none is declared')];
}
