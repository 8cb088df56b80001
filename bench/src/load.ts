import pg from 'pg';
import { cpuPerOperation } from './database/cpu-times.js';
import { type DatabaseSetup, machine, setUpDatabase } from './database/database-setup.js';
import { type CallersPlan, type CallersResult, rounded, runCallers, shuffledIds } from './database/run-callers.js';
import { takeTurns } from './database/take-turns.js';
import { COLUMNS, TABLE, type Thing } from './database/things-table.js';
import { decimal, integer, parseOptions } from './options.js';

/**
 * The bench `load`: rows that no cache has yet, a second, asked for by many concurrent callers one at a time: through
 * client, node and loader, and beside it with node-postgres alone, one query a key over a pool of ten, unprepared and
 * prepared. All three give the caller the row as an object; they take turns, and the median round of each counts.
 *
 * The callers walk through the table in a shuffled order; entries live so short that a key is cold again when the walk
 * comes back to it. That is checked: nearly every get must have been a load.
 */
const POOL_SIZE = 10;
const CACHE = 'things';
const TTL_MS = 100;
const WARM_UP_MS = 500;
/** Two callers that meet at one key, or a walk that comes round within TTL_MS, would not be cold. */
const HIT_SHARE_MAX = 0.02;

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    seconds: decimal({ otherwise: 2, min: 0.1, max: 600 }),
    repeat: integer({ otherwise: 3, min: 1, max: 100 }),
    concurrency: integer({ otherwise: 512, min: 1, max: 16_384 }),
    rows: integer({ otherwise: 200_000, min: 100_000, max: 10_000_000 }),
    nodes: integer({ otherwise: 1, min: 1, max: 16 }),
  });
  const { rows, nodes } = options;
  const plan: CallersPlan = { callers: options.concurrency, warmUpMs: WARM_UP_MS, windowMs: options.seconds * 1000 };
  const caches = { [CACHE]: { read: 'through', ttl: TTL_MS, jitter: 0, memory: '256MiB' } };
  const setup = await setUpDatabase({ nodes, rows, durable: true, caches });
  try {
    const ids = shuffledIds(rows);
    const rate = ({ loadsPerSecond }: Loads): number => loadsPerSecond;
    const { plainPg, preparedPg, larder } = await takeTurns(options.repeat, {
      plainPg: { rate, measure: () => measurePg(setup, plan, ids, undefined) },
      preparedPg: { rate, measure: () => measurePg(setup, plan, ids, 'thing') },
      larder: { rate, measure: () => measureLarder(setup, plan, ids) },
    });
    return {
      bench: 'load',
      larder,
      plainPg,
      preparedPg,
      ratioToPlainPg: rounded(larder.loadsPerSecond / plainPg.loadsPerSecond),
      ratioToPreparedPg: rounded(larder.loadsPerSecond / preparedPg.loadsPerSecond),
      setting: { ...options, poolSize: POOL_SIZE, ...machine() },
    };
  } finally {
    await setup.stop();
  }
}

interface Loads {
  readonly loadsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Microseconds of CPU time for one load, of all processes. */
  readonly cpuUs: object | null;
}

async function measureLarder(
  setup: DatabaseSetup,
  plan: CallersPlan,
  ids: Uint32Array,
): Promise<Loads & { readonly keysPerStatement: number }> {
  const cache = setup.larder.cache<Thing>(CACHE);
  const before = await setup.statistics(CACHE);
  const cpuBefore = setup.cpuTimes();
  const result = await runCallers(plan, async (index) => {
    const id = idAt(ids, index);
    check(id, await cache.get(id));
  });
  const cpuUs = cpuPerOperation(cpuBefore, setup.cpuTimes(), result.calls);
  const after = await setup.statistics(CACHE);
  const loads = after.loads - before.loads;
  if (loads < result.calls * (1 - HIT_SHARE_MAX)) {
    throw new Error(`${result.calls} gets were only ${loads} loads: the keys were not cold; use more --rows`);
  }
  return {
    ...loadsOf('larder', result, cpuUs),
    keysPerStatement: rounded(loads / (after.readStatements - before.readStatements)),
  };
}

async function measurePg(
  setup: DatabaseSetup,
  plan: CallersPlan,
  ids: Uint32Array,
  name: string | undefined,
): Promise<Loads> {
  const pool = new pg.Pool({ connectionString: setup.url, max: POOL_SIZE });
  const text = `SELECT ${COLUMNS.join(', ')} FROM ${TABLE} WHERE id = $1`;
  try {
    const cpuBefore = setup.cpuTimes();
    const result = await runCallers(plan, async (index) => {
      const id = idAt(ids, index);
      const { rows } = await pool.query<Thing>(
        name === undefined ? { text, values: [id] } : { name, text, values: [id] },
      );
      check(id, rows[0]);
    });
    const cpuUs = cpuPerOperation(cpuBefore, setup.cpuTimes(), result.calls);
    return loadsOf(name === undefined ? 'plain pg' : 'prepared pg', result, cpuUs);
  } finally {
    await pool.end();
  }
}

function idAt(ids: Uint32Array, index: number): number {
  return ids[index % ids.length] as number;
}

function check(id: number, thing: Thing | undefined): void {
  if (thing?.name !== `Place number ${id}`) throw new Error(`row ${id} came back as ${JSON.stringify(thing)}`);
}

function loadsOf(who: string, { perSecond, p50Ms, p99Ms }: CallersResult, cpuUs: object | null): Loads {
  process.stderr.write(
    `load: ${who} ${perSecond} loads/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms, CPU us a load ${JSON.stringify(cpuUs)}\n`,
  );
  return { loadsPerSecond: perSecond, p50Ms, p99Ms, cpuUs };
}
