import { cpus, loadavg } from 'node:os';
import { type CacheStatistics, connect, type Larder } from '@larder/client';
import { type Cluster, type Postgres, startCluster, startPostgres } from '@larder/test-kit';
import { type CpuTimes, cpuTimes } from './cpu-times.js';
import { fillThings, TABLE } from './things-table.js';

export interface DatabaseSetup {
  readonly url: string;
  readonly larder: Larder;
  readonly cluster: Cluster;
  readonly postgres: Postgres;
  cpuTimes(): CpuTimes | undefined;
  /** Of the cache, summed over the nodes. */
  statistics(cache: string): Promise<CacheStatistics>;
  stop(): Promise<void>;
}

export interface DatabaseSetupOptions {
  readonly nodes: number;
  readonly rows: number;
  /** Whether a commit is on disk before it is acknowledged. */
  readonly durable: boolean;
  /** Further settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Further settings of the nodes' database. */
  readonly database?: object;
  /** Policies of caches on the table, by name; the origin is filled in, unless it is null: then there is none. */
  readonly caches: Readonly<Record<string, object>>;
}

/** A real PostgreSQL with the table, nodes in processes of their own in front of it, and a client of them in this one. */
export async function setUpDatabase(options: DatabaseSetupOptions): Promise<DatabaseSetup> {
  const postgres = await startPostgres({
    durable: options.durable,
    settings: { shared_buffers: '256MB', max_wal_size: '4GB', ...options.settings },
  });
  let cluster: Cluster | undefined;
  try {
    await fillThings(postgres.url, options.rows);
    cluster = await startCluster({ nodes: options.nodes, config: configOf(postgres, options) });
    const larder = await connect({ endpoints: cluster.endpoints, timeout: '30s' });
    const nodePids = cluster.nodes.map(({ pid }) => pid);
    return {
      url: postgres.url,
      larder,
      cluster,
      postgres,
      cpuTimes: () => cpuTimes(nodePids, postgres.pid),
      statistics: (cache) => sumStatistics(larder, cache),
      stop: () => stop(larder, cluster, postgres),
    };
  } catch (error) {
    await stop(undefined, cluster, postgres);
    throw error;
  }
}

function configOf(postgres: Postgres, { database, caches }: DatabaseSetupOptions): Record<string, unknown> {
  const origin = { postgresTable: { table: TABLE, key: 'id' } };
  return {
    memory: '512MiB',
    database: { url: postgres.url, ...database },
    caches: Object.fromEntries(Object.entries(caches).map(([name, policy]) => [name, withOrigin(policy, origin)])),
  };
}

function withOrigin(policy: object, origin: object): object {
  const { origin: given, ...rest } = policy as { readonly origin?: null };
  return given === null ? rest : { origin, ...rest };
}

async function stop(larder: Larder | undefined, cluster: Cluster | undefined, postgres: Postgres): Promise<void> {
  await larder?.close();
  await cluster?.stop();
  await postgres.stop();
}

async function sumStatistics(larder: Larder, cache: string): Promise<CacheStatistics> {
  const nodes = await larder.nodeStatistics();
  const each = nodes.flatMap((node) => node.caches.filter(({ name }) => name === cache));
  const total: Record<string, number> = {};
  for (const statistics of each) {
    for (const [name, value] of Object.entries(statistics)) total[name] = (total[name] ?? 0) + Number(value);
  }
  return { ...(total as unknown as CacheStatistics), name: cache };
}

export function machine(): object {
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpuCount: cpus().length,
    load: loadavg()[0],
  };
}
