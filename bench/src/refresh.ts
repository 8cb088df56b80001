import { machine, setUpDatabase } from './database/database-setup.js';
import { rounded, runCallers } from './database/run-callers.js';
import { decimal, integer, parseOptions } from './options.js';

/**
 * The bench `refresh`: one key is asked for all the time, for many times its life, and nobody is to miss it. What counts
 * is what the nodes say of misses and loads; `withoutRefresh` is the same on a cache that loads a miss when it is one.
 */
const ROWS = 100;

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    ttlMs: integer({ otherwise: 1_000, min: 100, max: 60_000 }),
    lives: integer({ otherwise: 10, min: 1, max: 1_000 }),
    fraction: decimal({ otherwise: 0.1, min: 0.01, max: 1 }),
    callers: integer({ otherwise: 8, min: 1, max: 1_024 }),
  });
  const { ttlMs: ttl, fraction } = options;
  const setup = await setUpDatabase({
    nodes: 1,
    rows: ROWS,
    durable: false,
    caches: { ahead: { ttl, jitter: 0, refreshAhead: { fraction } }, plain: { ttl, jitter: 0 } },
  });
  const measure = async (name: string) => {
    const cache = setup.larder.cache(name);
    await cache.get(1);
    const before = await setup.statistics(name);
    const plan = { callers: options.callers, warmUpMs: 0, windowMs: options.ttlMs * options.lives };
    const { p50Ms, p99Ms } = await runCallers(plan, async () => {
      if ((await cache.get(1)) === undefined) throw new Error('the row is not there');
    });
    const after = await setup.statistics(name);
    const loads = after.loads - before.loads;
    return {
      hits: after.hits - before.hits,
      misses: after.misses - before.misses,
      loads,
      loadsPerTtl: rounded(loads / options.lives),
      p50Ms,
      p99Ms,
    };
  };
  try {
    const refreshAhead = await measure('ahead');
    const withoutRefresh = await measure('plain');
    return { bench: 'refresh', refreshAhead, withoutRefresh, setting: { ...options, ...machine() } };
  } finally {
    await setup.stop();
  }
}
