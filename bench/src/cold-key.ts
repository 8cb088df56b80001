import { setTimeout as sleep } from 'node:timers/promises';
import { keySlice } from '@larder/proto';
import { type NodeProcess, untilSettled } from '@larder/test-kit';
import { Callers, type CallersReport, type Way } from './cold-key/callers.js';
import { COUNTED, countLoads, HeldTable } from './cold-key/count-queries.js';
import { type DatabaseSetup, machine, setUpDatabase } from './database/database-setup.js';
import { flag, integer, parseOptions } from './options.js';

/**
 * The bench `cold-key`: many processes ask for one key that nobody has, all at once, and PostgreSQL counts the queries.
 * With read-through the owner of the key loads; with `getOrSet` one of the callers does. The table is locked until
 * everybody waits; where the owner is killed that happens then, and the table is let go when the load has begun anew.
 */
const NODES = 3;
const ROWS = 1_000;
const POLL_MS = 20;
const LIMIT_MS = 60_000;
/** Longer than anything here takes: nobody is to give up. */
const PATIENCE = '120s';

const CACHES = {
  through: { read: 'through', write: 'memory' },
  aside: { origin: null, leaseTimeout: PATIENCE },
};

interface Figure {
  readonly calls: number;
  readonly queries: number;
  /** Calls that did not get the row. */
  readonly failed: number;
  readonly slowestMs: number;
}

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    processes: integer({ otherwise: 20, min: 2, max: 64 }),
    calls: integer({ otherwise: 500, min: 1, max: 10_000 }),
    kill: flag(true),
  });
  const setup = await setUpDatabase({
    nodes: NODES,
    rows: ROWS,
    durable: false,
    settings: COUNTED,
    database: { statementTimeout: PATIENCE, breaker: null },
    caches: CACHES,
  });
  let callers: Callers | undefined;
  try {
    callers = await Callers.start(options.processes, { endpoints: setup.cluster.endpoints, url: setup.url });
    const scenario = new Scenario(setup, callers, options.calls);
    const figures: Record<string, Figure> = {
      readThrough: await scenario.run('readThrough', 1, false),
      getOrSet: await scenario.run('getOrSet', 2, false),
    };
    if (options.kill) {
      figures.readThroughOwnerKilled = await scenario.run('readThrough', 3, true);
      figures.getOrSetOwnerKilled = await scenario.run('getOrSet', 4, true);
    }
    return { bench: 'cold-key', ...figures, setting: { ...options, nodes: NODES, ...machine() } };
  } finally {
    await callers?.stop();
    await setup.stop();
  }
}

class Scenario {
  constructor(
    readonly setup: DatabaseSetup,
    readonly callers: Callers,
    readonly callsEach: number,
  ) {}

  async run(way: Way, key: number, isKilled: boolean): Promise<Figure> {
    const { setup, callers, callsEach } = this;
    const calls = callsEach * callers.children.length;
    const before = countLoads(setup.postgres);
    const waitersBefore = await this.#waiting(way);
    const table = await HeldTable.hold(setup.url);
    const asked = callers.ask({ way, key, calls: callsEach });
    // It is awaited below; if something fails before, that is what is to be told.
    asked.catch(() => {});
    // With getOrSet the callers of the process that loads wait in that process.
    const waiters = way === 'readThrough' ? calls - 1 : calls - callsEach;
    await until(`${waiters} calls wait`, async () => (await this.#waiting(way)) >= waitersBefore + waiters);
    await until('the load has begun', async () => (await table.waiting()) > 0);
    const owner = isKilled ? await this.#killOwner(key) : undefined;
    // What the killed owner has begun still waits: PostgreSQL does not know yet.
    if (isKilled) await until('the load has begun anew', async () => (await table.waiting()) > 1);
    const held = await table.waiting();
    await table.letGo();
    const report = await asked;
    await until('the loads have ended', async () => countLoads(setup.postgres) >= before + held);
    if (owner !== undefined) {
      await owner.restart();
      await untilSettled(setup.cluster.endpoints);
    }
    const figure = figureOf(report, calls, countLoads(setup.postgres) - before, `Place number ${key}`);
    const title = isKilled ? `${way}, owner killed` : way;
    process.stderr.write(`cold-key: ${title}: ${calls} calls, ${figure.queries} queries, ${figure.failed} failed\n`);
    return figure;
  }

  async #killOwner(key: number): Promise<NodeProcess> {
    const { larder, cluster } = this.setup;
    // A client hears of a new view when it speaks: since the last kill the key may have another owner.
    await larder.cache('aside').has(key);
    const { nodes, owners } = larder.topology();
    const { partition } = keySlice(Buffer.from(String(key)));
    const owner = cluster.node(nodes[owners[partition] as number]?.id as string);
    owner.kill();
    return owner;
  }

  async #waiting(way: Way): Promise<number> {
    const { coalescedWaiters } = await this.setup.statistics(way === 'readThrough' ? 'through' : 'aside');
    return coalescedWaiters;
  }
}

function figureOf({ results, slowestMs }: CallersReport, calls: number, queries: number, expected: string): Figure {
  return { calls, queries, failed: calls - (results[expected] ?? 0), slowestMs };
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`not within ${LIMIT_MS} ms: ${what}`);
    await sleep(POLL_MS);
  }
}
