import { dirname } from 'node:path';
import { type Clock, type Random, sleep } from '@larder/base';
import { createOrigin, type Origin, PostgresDatabase, type ResolvedPostgresDatabaseOptions } from '@larder/loader';
import { LarderError } from '@larder/proto';
import type { Caches } from './caches.js';
import { configError } from './config/problems.js';
import type { ResolvedNodeConfig } from './config.js';
import { ExitCode, startFault } from './exit-code.js';
import type { Log } from './log.js';
import { LoggedOrigin } from './logged-origin.js';
import { type WatchedTables, watchTables } from './watch-tables.js';

/** The databases of a node and what its caches need of them. */
export interface Origins {
  /** Undefined for a cache without one. */
  of(cache: string): Origin | undefined;
  /**
   * Follows what other programs write to the tables of these caches, from the moment that it resolves on. Throws CONFIG or
   * ORIGIN_UNAVAILABLE, each with its exit code.
   */
  watch(caches: Caches, random: Random): Promise<void>;
  /** The node has taken partitions over: what was changed lately concerns it as well. */
  replayChanges(): void;
  close(): Promise<void>;
}

/** Between two attempts to reach a database that is perhaps just starting. */
const RETRY_MS = 200;

/**
 * Opens the databases and checks every cache's table. A database that does not answer is tried again until its
 * `connectTimeout` has passed. Throws, with nothing left open, CONFIG (all faults of all tables in one) or
 * ORIGIN_UNAVAILABLE, each with its exit code. `nodeId` names the node in the databases' fences.
 */
export async function openOrigins(
  config: ResolvedNodeConfig,
  nodeId: string,
  clock: Clock,
  log: Log,
): Promise<Origins> {
  const databases = new Map(
    [...config.databases].map(([name, options]) => [name, new PostgresDatabase(options, nodeId, clock)]),
  );
  for (const [name, database] of databases) logBreaker(name, database, log);
  const deadlineMs = clock.monotonicMs() + longestConnectMs([...config.databases.values()]);
  const names = [...config.caches.keys()];
  const attempts = await Promise.allSettled(
    names.map(async (name) => {
      const origin = await openOrigin(config, name, databases, clock, deadlineMs);
      return origin && new LoggedOrigin(origin, name, clock, log);
    }),
  );
  const faults = attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason as unknown] : []));
  if (faults.length > 0) {
    await closeAll(databases.values());
    throw faultOf(faults, config.file);
  }
  const origins = new Map(attempts.map((attempt, index) => [names[index] as string, fulfilled(attempt)]));
  let watched: WatchedTables | undefined;
  return {
    of: (cache) => origins.get(cache),
    async watch(caches, random) {
      watched = await watchTables(config, databases, caches, { clock, random, log }).catch((error) => {
        throw faultOf([error], config.file);
      });
    },
    replayChanges: () => watched?.replay(),
    async close() {
      watched?.close();
      await closeAll([...origins.values()].filter((origin) => origin !== undefined));
      await closeAll(databases.values());
    },
  };
}

function logBreaker(name: string, { breaker }: PostgresDatabase, log: Log): void {
  if (breaker === undefined) return;
  breaker.changed = (state, error) => log.warn({ event: `breaker-${state}`, database: name, error: error?.reason });
}

async function closeAll(opened: Iterable<{ close(): Promise<void> }>): Promise<void> {
  await Promise.all([...opened].map((one) => one.close()));
}

async function openOrigin(
  config: ResolvedNodeConfig,
  name: string,
  databases: ReadonlyMap<string, PostgresDatabase>,
  clock: Clock,
  deadlineMs: number,
): Promise<Origin | undefined> {
  const policy = config.caches.get(name);
  if (!policy) return undefined;
  const folder = dirname(config.file);
  for (;;) {
    try {
      return await createOrigin(policy, databases, `caches.${name}`, { cache: name, folder, clock });
    } catch (error) {
      const mayPass = error instanceof LarderError && error.code === 'ORIGIN_UNAVAILABLE';
      if (!mayPass || clock.monotonicMs() + RETRY_MS >= deadlineMs) throw error;
    }
    await sleep(clock, RETRY_MS);
  }
}

function longestConnectMs(databases: readonly ResolvedPostgresDatabaseOptions[]): number {
  return Math.max(0, ...databases.map((database) => database.connectTimeoutMs));
}

/** Mistakes come before an unreachable database: they can be mended while it is away. */
function faultOf(faults: readonly unknown[], file: string): unknown {
  const known = faults.filter((fault) => fault instanceof LarderError);
  const mistakes = known.filter((fault) => fault.code === 'CONFIG').flatMap((fault) => fault.reason.split('\n'));
  // Caches of one database may all have met the same one.
  if (mistakes.length > 0) return configError(file, [...new Set(mistakes)]);
  const lost = known.find((fault) => fault.code === 'ORIGIN_UNAVAILABLE' || fault.code === 'ORIGIN');
  if (lost) return startFault(ExitCode.databaseUnavailable, lost.code, lost.reason, lost);
  return faults[0];
}

function fulfilled<T>(settled: PromiseSettledResult<T>): T | undefined {
  return settled.status === 'fulfilled' ? settled.value : undefined;
}
