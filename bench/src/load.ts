import pg from 'pg';
import { cpuPerOperation } from './database/cpu-times.js';
import { type DatabaseSetup, machine, setUpDatabase } from './database/database-setup.js';
import { LoaderAlone } from './database/loader-alone.js';
import { type CallersPlan, rounded, runCallers, shuffledIds } from './database/run-callers.js';
import { takeTurns } from './database/take-turns.js';
import { COLUMNS, TABLE, type Thing } from './database/things-table.js';
import { decimal, integer, parseOptions } from './options.js';

/**
 * The bench `load`: rows that no cache has yet, a second, asked for by many concurrent callers one at a time: through
 * client, node and loader; through the loader alone, in this process; and with node-postgres alone, one query a key over
 * a pool of ten, unprepared and prepared. All four give the caller the row as an object; they take turns, and the median
 * round of each counts.
 *
 * The callers walk through the table in a shuffled order; entries live so short that a key is cold again when the walk
 * comes back to it. That is checked: nearly every get must have been a load.
 */
const POOL_SIZE = 10;
const CACHE = 'things';
const POLICY = { read: 'through', ttl: 100, jitter: 0, memory: '256MiB' };
const WARM_UP_MS = 500;
/** Two callers that meet at one key, or a walk that comes round within the ttl, would not be cold. */
const HIT_SHARE_MAX = 0.02;

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    seconds: decimal({ otherwise: 1.5, min: 0.1, max: 600 }),
    repeat: integer({ otherwise: 3, min: 1, max: 100 }),
    concurrency: integer({ otherwise: 512, min: 1, max: 16_384 }),
    rows: integer({ otherwise: 200_000, min: 100_000, max: 10_000_000 }),
    nodes: integer({ otherwise: 1, min: 1, max: 16 }),
  });
  const { rows, nodes, concurrency, seconds } = options;
  const setup = await setUpDatabase({ nodes, rows, durable: true, caches: { [CACHE]: POLICY } });
  try {
    const plan = { callers: concurrency, warmUpMs: WARM_UP_MS, windowMs: seconds * 1000 };
    const measured = await measureAll({ setup, plan, ids: shuffledIds(rows) }, options.repeat);
    const { larder, loaderAlone, plainPg, preparedPg } = measured;
    return {
      bench: 'load',
      ...measured,
      ratioToPlainPg: rounded(larder.loadsPerSecond / plainPg.loadsPerSecond),
      ratioToPreparedPg: rounded(larder.loadsPerSecond / preparedPg.loadsPerSecond),
      ratioLoaderAloneToPlainPg: rounded(loaderAlone.loadsPerSecond / plainPg.loadsPerSecond),
      ratioLoaderAloneToPreparedPg: rounded(loaderAlone.loadsPerSecond / preparedPg.loadsPerSecond),
      setting: { ...options, poolSize: POOL_SIZE, ...machine() },
    };
  } finally {
    await setup.stop();
  }
}

interface Bench {
  readonly setup: DatabaseSetup;
  readonly plan: CallersPlan;
  readonly ids: Uint32Array;
}

interface Loads {
  readonly loadsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Microseconds of CPU time for one load, of all processes. */
  readonly cpuUs: object | null;
}

interface BatchedLoads extends Loads {
  readonly keysPerStatement: number;
}

/** What tells loads from hits, and how they were batched. */
interface LoadCounters {
  readonly loads: number;
  readonly readStatements: number;
}

function measureAll(bench: Bench, repeat: number) {
  const rate = ({ loadsPerSecond }: Loads): number => loadsPerSecond;
  return takeTurns<{ larder: BatchedLoads; loaderAlone: BatchedLoads; plainPg: Loads; preparedPg: Loads }>(repeat, {
    larder: { rate, measure: () => measureLarder(bench) },
    loaderAlone: { rate, measure: () => measureLoaderAlone(bench) },
    plainPg: { rate, measure: () => measurePg(bench, 'plain pg', {}) },
    preparedPg: { rate, measure: () => measurePg(bench, 'prepared pg', { name: 'thing' }) },
  });
}

async function measureLarder(bench: Bench): Promise<BatchedLoads> {
  const cache = bench.setup.larder.cache<Thing>(CACHE);
  return measureBatched(
    bench,
    'larder',
    (id) => cache.get(id),
    () => bench.setup.statistics(CACHE),
  );
}

async function measureLoaderAlone(bench: Bench): Promise<BatchedLoads> {
  const loader = await LoaderAlone.open(bench.setup.url, POLICY);
  try {
    return await measureBatched(
      bench,
      'loader alone',
      (id) => loader.get<Thing>(id),
      async () => loader.statistics(),
    );
  } finally {
    await loader.close();
  }
}

async function measureBatched(
  bench: Bench,
  who: string,
  get: (id: number) => Promise<Thing | undefined>,
  counters: () => Promise<LoadCounters>,
): Promise<BatchedLoads> {
  const before = await counters();
  const { measured, calls } = await measure(bench, who, get);
  const after = await counters();
  const loads = after.loads - before.loads;
  if (loads < calls * (1 - HIT_SHARE_MAX)) {
    throw new Error(`${calls} gets were only ${loads} loads: the keys were not cold; use more --rows`);
  }
  return { ...measured, keysPerStatement: rounded(loads / (after.readStatements - before.readStatements)) };
}

async function measurePg(bench: Bench, who: string, prepared: { readonly name?: string }): Promise<Loads> {
  const pool = new pg.Pool({ connectionString: bench.setup.url, max: POOL_SIZE });
  const text = `SELECT ${COLUMNS.join(', ')} FROM ${TABLE} WHERE id = $1`;
  try {
    const { measured } = await measure(bench, who, async (id) => {
      const { rows } = await pool.query<Thing>({ ...prepared, text, values: [id] });
      return rows[0];
    });
    return measured;
  } finally {
    await pool.end();
  }
}

async function measure(
  { setup, plan, ids }: Bench,
  who: string,
  get: (id: number) => Promise<Thing | undefined>,
): Promise<{ measured: Loads; calls: number }> {
  const cpuBefore = setup.cpuTimes();
  const { perSecond, p50Ms, p99Ms, calls } = await runCallers(plan, async (index) => {
    const id = ids[index % ids.length] as number;
    const thing = await get(id);
    if (thing?.name !== `Place number ${id}`) throw new Error(`row ${id} came back as ${JSON.stringify(thing)}`);
  });
  const cpuUs = cpuPerOperation(cpuBefore, setup.cpuTimes(), calls);
  process.stderr.write(
    `load: ${who} ${perSecond} loads/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms, CPU us a load ${JSON.stringify(cpuUs)}\n`,
  );
  return { measured: { loadsPerSecond: perSecond, p50Ms, p99Ms, cpuUs }, calls };
}
