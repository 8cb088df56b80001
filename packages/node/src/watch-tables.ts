import type { Clock, Random } from '@larder/base';
import { ChangeListener, checkWatched, type PostgresDatabase, readWatchedTable } from '@larder/loader';
import type { Caches, NodeCache } from './caches.js';
import type { ResolvedNodeConfig } from './config.js';
import { ExternalWrites } from './external-writes.js';
import type { Log } from './log.js';

/** The tables whose changes by other programs this node follows. */
export interface WatchedTables {
  /** The node has taken partitions over, whose keys were another's when they were changed lately. */
  replay(): void;
  close(): void;
}

/**
 * Follows the tables of all caches that say `watch`, with one connection for each database that has some. Resolves when
 * no change is missed any more. Throws CONFIG if triggers are missing, ORIGIN_UNAVAILABLE without PostgreSQL.
 */
export async function watchTables(
  config: ResolvedNodeConfig,
  databases: ReadonlyMap<string, PostgresDatabase>,
  caches: Caches,
  { clock, random, log }: { readonly clock: Clock; readonly random: Random; readonly log: Log },
): Promise<WatchedTables> {
  const found = new Map<string, { readonly source: string; readonly cache: NodeCache }[]>();
  for (const cache of caches.all) {
    const watched = watchedOf(config, cache.name, databases);
    if (watched === undefined) continue;
    const table = await readWatchedTable(watched.database, watched.options, watched.path);
    await checkWatched(watched.database, table, watched.path);
    found.set(watched.name, [...(found.get(watched.name) ?? []), { source: table.source, cache }]);
  }
  const parts = [...found].map(([name, watched]) => {
    const writes = new ExternalWrites(watched, name, clock, log);
    return { writes, listener: new ChangeListener(databases.get(name) as PostgresDatabase, writes, clock, random) };
  });
  const close = (): void => {
    for (const { writes, listener } of parts) {
      listener.close();
      writes.close();
    }
  };
  try {
    await Promise.all(parts.map(({ listener }) => listener.start()));
  } catch (error) {
    close();
    throw error;
  }
  return {
    replay: () => {
      for (const { listener } of parts) listener.replay();
    },
    close,
  };
}

/** The table that a cache follows; undefined: it follows none. */
export function watchedOf(config: ResolvedNodeConfig, cache: string, databases: ReadonlyMap<string, PostgresDatabase>) {
  const origin = config.caches.get(cache)?.origin;
  const options = origin?.postgresTable;
  if (options?.watch !== true) return undefined;
  const name = options.database ?? ([...databases.keys()][0] as string);
  const database = databases.get(name) as PostgresDatabase;
  return { name, database, options, path: `caches.${cache}.origin.postgresTable` };
}
