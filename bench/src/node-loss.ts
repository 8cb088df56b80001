import { type Cluster, type Postgres, startCluster, startPostgres } from '@larder/test-kit';
import { machine } from './database/database-setup.js';
import { fillThings, TABLE } from './database/things-table.js';
import { DatabaseWatch } from './node-loss/database-watch.js';
import { HitWatch } from './node-loss/hit-watch.js';
import { judgeLoss } from './node-loss/judge-loss.js';
import { type CallTimes, nowMs } from './node-loss/open-loop.js';
import { ReaderProcess } from './node-loss/reader-process.js';
import { decimal, integer, parseOptions } from './options.js';

/**
 * The bench `node-loss`: three nodes in front of PostgreSQL are read from at a fixed rate, by client processes, keys by
 * Zipf's law, read-through with lives that end; then one node is killed. What that does to the database, to the readers
 * and to the hit ratio.
 */
const CACHE = 'things';
const NODES = 3;

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    warmUp: decimal({ otherwise: 15, min: 1, max: 600 }),
    before: decimal({ otherwise: 5, min: 1, max: 600 }),
    after: decimal({ otherwise: 15, min: 4, max: 600 }),
    rate: integer({ otherwise: 1_000, min: 10, max: 1_000_000 }),
    readers: integer({ otherwise: 2, min: 1, max: 32 }),
    rows: integer({ otherwise: 10_000, min: 100, max: 10_000_000 }),
    ttl: decimal({ otherwise: 60, min: 0.1, max: 86_400 }),
    poolSize: integer({ otherwise: 4, min: 1, max: 100 }),
  });
  const postgres = await startPostgres({ durable: false });
  try {
    await fillThings(postgres.url, options.rows);
    const cluster = await startCluster({ nodes: NODES, config: configOf(postgres, options) });
    try {
      return await measure(postgres, cluster, options);
    } finally {
      await cluster.stop();
    }
  } finally {
    await postgres.stop();
  }
}

interface NodeLossOptions {
  readonly warmUp: number;
  readonly before: number;
  readonly after: number;
  readonly rate: number;
  readonly readers: number;
  readonly rows: number;
  readonly ttl: number;
  readonly poolSize: number;
}

function configOf(postgres: Postgres, { ttl, poolSize }: NodeLossOptions): Record<string, unknown> {
  const origin = { postgresTable: { table: TABLE, key: 'id' } };
  return {
    memory: '256MiB',
    database: { url: postgres.url, poolSize },
    caches: { [CACHE]: { origin, ttl: ttl * 1000, jitter: 0.5, loads: { maxStatements: poolSize } } },
  };
}

async function measure(postgres: Postgres, cluster: Cluster, options: NodeLossOptions): Promise<object> {
  const { warmUp, before, after, poolSize } = options;
  const started = await startReaders(cluster, options);
  const hits = new HitWatch(cluster.endpoints, CACHE);
  let database: DatabaseWatch | undefined;
  try {
    await seconds(warmUp);
    database = await DatabaseWatch.start(postgres.url);
    const beforeMs = nowMs();
    await seconds(before);
    const killedMs = nowMs();
    cluster.node('n3').kill();
    await seconds(after);
    const endMs = nowMs();
    const calls = await Promise.all(started.map((reader) => reader.stop()));
    return {
      bench: 'node-loss',
      ...judgeLoss({ calls, counted: hits.samples, beforeMs, killedMs, endMs }),
      dropped: calls.reduce((sum, { dropped }: CallTimes) => sum + dropped, 0),
      database: {
        connectionsCap: NODES * poolSize,
        connectionsMax: database.connectionsMax,
        statementsMax: database.statementsMax,
      },
      setting: { ...options, nodes: NODES, ...machine() },
    };
  } finally {
    for (const reader of started) reader.kill();
    await hits.stop();
    await database?.stop();
  }
}

function startReaders(cluster: Cluster, { readers, rate, rows }: NodeLossOptions): Promise<ReaderProcess[]> {
  const setting = { endpoints: cluster.endpoints, cache: CACHE, rows, perSecond: rate / readers };
  return Promise.all(Array.from({ length: readers }, (_, seed) => ReaderProcess.start({ ...setting, seed: seed + 1 })));
}

function seconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count * 1000));
}
