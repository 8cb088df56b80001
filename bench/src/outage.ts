import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type DatabaseSetup, machine, setUpDatabase } from './database/database-setup.js';
import { rounded } from './database/run-callers.js';
import { TABLE, type Thing } from './database/things-table.js';
import { decimal, integer, parseOptions } from './options.js';
import { type Seen, Traffic } from './outage/traffic.js';

/**
 * The bench `outage`: PostgreSQL is killed under traffic, stays away, and comes back. Entries are hit, entries whose life
 * is over are served stale, misses fail, writes of a write-behind cache are acknowledged; afterwards all that was
 * acknowledged has to be in the table.
 */
const NODES = 3;
const WARM = 500;
const WRITTEN = 2_000;
const BEFORE_MS = 1_000;
const POLL_MS = 20;
const DRAIN_LIMIT_MS = 120_000;

const CACHES = {
  kept: { write: 'memory', ttl: null },
  stale: { write: 'memory', ttl: 1_000, staleFor: '1h' },
  behind: { write: 'behind', ttl: null },
};

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    seconds: decimal({ otherwise: 60, min: 1, max: 3_600 }),
    rate: integer({ otherwise: 200, min: 1, max: 20_000 }),
  });
  const coldMax = Math.ceil(options.rate * (options.seconds + DRAIN_LIMIT_MS / 1_000));
  const setup = await setUpDatabase({ nodes: NODES, rows: WARM + WRITTEN + coldMax, durable: false, caches: CACHES });
  try {
    const traffic = new Traffic(cachesOf(setup), {
      warmIds: range(1, WARM),
      writtenIds: range(WARM + 1, WRITTEN),
      coldIds: range(WARM + WRITTEN + 1, coldMax),
      callsPerSecond: options.rate,
    });
    await warmUp(setup);
    const outage = await survive(setup, traffic, options.seconds * 1_000);
    const dropped = await countDropped(setup.url, traffic.acknowledged);
    const { hits, staleReads, misses, writes } = traffic;
    return {
      bench: 'outage',
      ...outage,
      hits: figures(hits),
      stale: { ...figures(staleReads), stale: staleReads.stale },
      misses: figures(misses),
      writes: { ...figures(writes), rows: traffic.acknowledged.size, dropped },
      setting: { ...options, nodes: NODES, ...machine() },
    };
  } finally {
    await setup.stop();
  }
}

function cachesOf({ larder }: DatabaseSetup) {
  return {
    kept: larder.cache<Thing>('kept'),
    stale: larder.cache<Thing>('stale'),
    behind: larder.cache<Thing>('behind'),
  };
}

/** Connections are open and rows are in memory; lives of the stale cache are over before the traffic begins. */
async function warmUp(setup: DatabaseSetup): Promise<void> {
  const { kept, stale, behind } = cachesOf(setup);
  await Promise.all([kept.getMany(range(1, WARM)), stale.getMany(range(1, WARM)), behind.get(WARM + 1)]);
  await sleep(BEFORE_MS);
}

async function survive(setup: DatabaseSetup, traffic: Traffic, outageMs: number) {
  const { postgres } = setup;
  await postgres.kill();
  const running = traffic.run();
  let oldestPendingMs = 0;
  const watch = async (): Promise<number> => {
    const nodes = await setup.larder.nodeStatistics();
    const each = nodes.flatMap(({ caches }) => caches.filter(({ name }) => name === 'behind'));
    oldestPendingMs = Math.max(oldestPendingMs, ...each.map((statistics) => statistics.oldestPendingMs));
    return each.reduce((sum, { pendingWrites }) => sum + pendingWrites, 0);
  };
  const endMs = performance.now() + outageMs;
  while (performance.now() < endMs) {
    await watch();
    await sleep(Math.min(500, outageMs / 10));
  }
  traffic.end();
  await running;
  const pendingAtReturn = await watch();
  process.stderr.write(`outage: ${pendingAtReturn} rows wait for the database, which comes back\n`);
  await postgres.restart();
  const backMs = performance.now();
  while ((await watch()) > 0) {
    if (performance.now() - backMs > DRAIN_LIMIT_MS) throw new Error(`not drained within ${DRAIN_LIMIT_MS} ms`);
    await sleep(POLL_MS);
  }
  const drainedMs = Math.round(performance.now() - backMs);
  return { pendingAtReturn, oldestPendingMs: Math.round(oldestPendingMs), drainedMs };
}

/** Acknowledged writes that are not in the table, or older there. Rows are named after the round that wrote them. */
async function countDropped(url: string, acknowledged: ReadonlyMap<number, number>): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ id: number; name: string }>(
      `SELECT id, name FROM ${TABLE} WHERE id = ANY ($1)`,
      [[...acknowledged.keys()]],
    );
    const rounds = new Map(rows.map(({ id, name }) => [id, Number.parseInt(name, 10)]));
    return [...acknowledged].filter(([id, round]) => !((rounds.get(id) ?? -1) >= round)).length;
  } finally {
    await client.end();
  }
}

function figures({ calls, failures, latenciesMs }: Seen) {
  const sorted = latenciesMs.toSorted((one, other) => one - other);
  const at = (share: number): number => rounded(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
  return { calls, failures, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
