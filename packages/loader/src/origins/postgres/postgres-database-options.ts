import { type Duration, durationMs } from '@larder/base';
import type { z } from 'zod';
import { checkConfig } from '../../config-check.js';
import { blockSetting, choiceSetting, countSetting, durationSetting, nameSetting } from '../../config-schema.js';
import {
  type BreakerOptions,
  breakerSchema,
  type ResolvedBreakerOptions,
  resolveBreakerOptions,
} from '../breaker-options.js';

/** One entry of the `databases` block: a PostgreSQL server that caches have their tables in. */
export interface PostgresDatabaseOptions {
  /** `postgres://user:password@host:5432/database` */
  readonly url: string;
  /** Connections of one node, for all caches of this database together. Default 10, at most 100. */
  readonly poolSize?: number | undefined;
  /** PostgreSQL gives a statement up after this. Default 5s. */
  readonly statementTimeout?: Duration | undefined;
  /** Waiting for a connection ends after this with ORIGIN_UNAVAILABLE. Default 3s. */
  readonly connectTimeout?: Duration | undefined;
  /**
   * `table`: writes of a node that has lost its partitions to another one are stopped by the database, by means of a
   * small table, `larder_internal.fence`. `none`: only by time. Default table.
   */
  readonly fencing?: Fencing | undefined;
  /** When callers stop waiting for a database that fails; null: never. Default: see BreakerOptions. */
  readonly breaker?: BreakerOptions | null | undefined;
}

const FENCINGS = ['table', 'none'] as const;
export type Fencing = (typeof FENCINGS)[number];

export const postgresDatabaseSchema: z.ZodType<PostgresDatabaseOptions> = blockSetting({
  url: nameSetting('a URL like postgres://user:password@host:5432/database').refine(
    (url) => /^postgres(ql)?:\/\//.test(url),
    { error: 'a URL like postgres://user:password@host:5432/database' },
  ),
  poolSize: countSetting(1, 100).optional(),
  statementTimeout: durationSetting(10, 3_600_000).optional(),
  connectTimeout: durationSetting(10, 600_000).optional(),
  fencing: choiceSetting(FENCINGS).optional(),
  breaker: breakerSchema.nullable().optional(),
});

export interface ResolvedPostgresDatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly fencing: Fencing;
  readonly breaker: ResolvedBreakerOptions | undefined;
}

/** Throws CONFIG. `path` is where the block stands in the configuration. */
export function resolvePostgresDatabaseOptions(options: unknown, path = 'database'): ResolvedPostgresDatabaseOptions {
  const given = checkConfig(postgresDatabaseSchema, options, path);
  return {
    url: given.url,
    poolSize: given.poolSize ?? 10,
    statementTimeoutMs: durationMs(given.statementTimeout ?? '5s') as number,
    connectTimeoutMs: durationMs(given.connectTimeout ?? '3s') as number,
    fencing: given.fencing ?? 'table',
    breaker: given.breaker === null ? undefined : resolveBreakerOptions(given.breaker ?? {}),
  };
}
