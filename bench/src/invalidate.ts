import { cpus } from 'node:os';
import { type Cache, connect } from '@larder/client';
import { startCluster } from '@larder/test-kit';
import { type CallersResult, rounded, runCallers } from './database/run-callers.js';
import { integer, parseOptions } from './options.js';

/**
 * The bench `invalidate`: how long `invalidateTags` and `clear` take in a full cache, and what concurrent gets feel of it.
 * Each entry has two tags, one of its own and one that 1 in `group` entries has; tags are invalidated one call after the
 * other, of both kinds in turn. At last everything is cleared, again and again.
 */
const FILL_CALLERS = 256;
const MEMORY = '640MiB';
const CLEARS = 5;

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    entries: integer({ otherwise: 1_000_000, min: 1_000, max: 2_000_000 }),
    nodes: integer({ otherwise: 2, min: 1, max: 5 }),
    group: integer({ otherwise: 1_000, min: 2, max: 100_000 }),
    callers: integer({ otherwise: 32, min: 1, max: 1_024 }),
    seconds: integer({ otherwise: 5, min: 1, max: 600 }),
  });
  const { entries, nodes, group, callers, seconds } = options;
  const cluster = await startCluster({ nodes, config: { memory: '768MiB', caches: { bench: { memory: MEMORY } } } });
  const larder = await connect({ endpoints: cluster.endpoints, timeout: '60s' });
  try {
    const cache = larder.cache<string>('bench');
    await fill(cache, entries, group);
    const plan = { callers, warmUpMs: 500, windowMs: seconds * 1000 };
    const gets = () => runCallers(plan, async (index) => void (await cache.get(keyOf((index * 7919) % entries))));
    const alone = await gets();
    const own: number[] = [];
    const shared: number[] = [];
    let partitions = 0;
    const beside = await whileRunning(gets(), async (round) => {
      const isOwn = round % 2 === 0;
      const tag = isOwn ? `item ${round * 31}` : `group ${round % group}`;
      const took = await timed(async () => {
        partitions += await cache.invalidateTags(tag);
      });
      (isOwn ? own : shared).push(took);
    });
    const clears: number[] = [];
    const besideClears = await whileRunning(gets(), async (round) => {
      if (round < CLEARS) clears.push(await timed(() => cache.clear()));
      else await new Promise((resolve) => setTimeout(resolve, 10));
    });
    const calls = own.length + shared.length;
    return {
      bench: 'invalidate',
      invalidateOwnTag: spread(own),
      invalidateSharedTag: spread(shared),
      invalidationsPerSecond: rounded(calls / (seconds + plan.warmUpMs / 1000)),
      partitionsPerInvalidation: rounded(partitions / calls),
      // The first one finds the cache full, the others find it empty.
      clearFullMs: rounded(clears[0]!),
      clear: spread(clears),
      gets: { alone: shown(alone), besideInvalidations: shown(beside), besideClears: shown(besideClears) },
      setting: { ...options, node: process.version, cpus: cpus().length },
    };
  } finally {
    await larder.close();
    await cluster.stop();
  }
}

const keyOf = (index: number): string => `key-${String(index).padStart(10, '0')}`;

async function fill(cache: Cache<string>, entries: number, group: number): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let index = next++; index < entries; index = next++) {
      const tags = [`item ${index}`, `group ${index % group}`];
      await cache.set(keyOf(index), 'v'.repeat(98), { tags });
    }
  };
  await Promise.all(Array.from({ length: FILL_CALLERS }, caller));
}

/** Rounds, one after the other, for as long as the calls go on. */
async function whileRunning(
  running: Promise<CallersResult>,
  work: (round: number) => Promise<void>,
): Promise<CallersResult> {
  let isOver = false;
  const over = running.finally(() => {
    isOver = true;
  });
  for (let round = 0; !isOver; round++) await work(round);
  return over;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await work();
  return performance.now() - beganMs;
}

function spread(timesMs: readonly number[]): object {
  const sorted = [...timesMs].sort((one, other) => one - other);
  const at = (share: number): number =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!);
  return { calls: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function shown({ perSecond, p50Ms, p99Ms }: CallersResult): object {
  return { perSecond, p50Ms, p99Ms };
}
