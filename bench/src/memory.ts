import type { EvictionPolicyName } from '@larder/node/internal';
import { DATA_NAMES, type DataName, type DataSet, dataSet } from './memory/data.js';
import { type Loader, loadIntoLarder, loadIntoMemcached, loadIntoRedis } from './memory/loaders.js';
import { settledResidentBytes } from './memory/resident.js';
import { integer, names, parseOptions } from './options.js';
import { BENCH_CACHE, startLarderNode } from './servers/larder-node.js';
import { startMemcached } from './servers/memcached.js';
import { startRedis } from './servers/redis.js';
import type { Endpoint, Server } from './servers/server.js';

/**
 * Memory an entry: what the resident memory of a server process grows by when a million entries are put into it over the
 * network, a Larder node beside redis-server and memcached. Before the first reading each server has answered 20,000 sets
 * of 1,000 keys, so that connections, buffers and compiled code are not counted as memory of entries.
 *
 *   memory [--entries 1000000] [--data fixed,ttl,zipf] [--policies adaptive,lru]
 */
const POLICIES = ['adaptive', 'lru', 'lfu', 'fifo', 'ttl', 'random'] as const satisfies readonly EvictionPolicyName[];
const WARM_UP_SETS = 20_000;
const WARM_UP_KEYS = 1_000;
const CALLERS = 256;
/** One entry in so many is read back and compared. */
const CHECK_EVERY = 997;
/** Room for 4 million entries of the largest data. */
const MEMORY_MIB = 4096;
const NOT_PINNED = { core: undefined, nodeFlags: [] };

interface Bytes {
  readonly bytesPerEntry: number;
}

type Start = () => Promise<Server | undefined>;
type Connect = (endpoint: Endpoint) => Promise<Loader>;

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    entries: integer({ otherwise: 1_000_000, min: 10_000, max: 4_000_000 }),
    data: names(DATA_NAMES),
    policies: { ...names(POLICIES), otherwise: ['adaptive', 'lru'] as readonly EvictionPolicyName[] },
  });
  const rows: object[] = [];
  for (const name of options.data) {
    const data = dataSet(name, options.entries);
    const measured = (server: string, start: Start, connect: Connect) =>
      measure(`${name}, ${server}`, start, connect, data, options.entries);
    const redis = await measured('redis-server', () => startRedis(NOT_PINNED), loadIntoRedis);
    const memcached = await measured('memcached', () => startMemcached(NOT_PINNED, MEMORY_MIB), loadIntoMemcached);
    for (const policy of options.policies) {
      const start = () => startLarderNode(NOT_PINNED, undefined, configOf(policy));
      rows.push(
        rowOf(name, policy, await measured(`larder-node with ${policy}`, start, loadIntoLarder), redis, memcached),
      );
    }
  }
  return { bench: 'memory', entries: options.entries, rows };
}

/** Null if the server is not installed. */
async function measure(
  what: string,
  start: Start,
  connect: Connect,
  data: DataSet,
  entries: number,
): Promise<Bytes | null> {
  const server = await start();
  if (server === undefined) {
    process.stderr.write(`${what}: not on the PATH, left out\n`);
    return null;
  }
  try {
    const loader = await connect(server.endpoint);
    await inParallel(WARM_UP_SETS, 1, (index) =>
      loader.set(`warm-up:${index % WARM_UP_KEYS}`, data.value(index), undefined),
    );
    const before = await settledResidentBytes(server.pids[0]!);
    await inParallel(entries, 1, (index) => loader.set(data.key(index), data.value(index), data.ttlSeconds));
    const after = await settledResidentBytes(server.pids[0]!);
    await inParallel(entries, CHECK_EVERY, (index) => check(loader, data, index));
    await loader.close();
    const bytesPerEntry = Number(((after - before) / entries).toFixed(1));
    process.stderr.write(`${what}: ${bytesPerEntry} bytes an entry (from ${before} to ${after})\n`);
    return { bytesPerEntry };
  } finally {
    await server.stop();
  }
}

async function check(loader: Loader, data: DataSet, index: number): Promise<void> {
  const value = await loader.get(data.key(index));
  if (!value || !data.value(index).equals(value)) throw new Error(`${data.key(index)} does not hold what was set`);
}

async function inParallel(end: number, step: number, visit: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < end) {
      const index = next;
      next += step;
      await visit(index);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

function rowOf(
  data: DataName,
  policy: EvictionPolicyName,
  larder: Bytes | null,
  redis: Bytes | null,
  memcached: Bytes | null,
): object {
  const ratio = (other: Bytes | null) =>
    larder === null || other === null ? null : Number((larder.bytesPerEntry / other.bytesPerEntry).toFixed(3));
  return { data, policy, larder, redis, memcached, ratioToRedis: ratio(redis), ratioToMemcached: ratio(memcached) };
}

function configOf(policy: EvictionPolicyName): string {
  return `memory: ${MEMORY_MIB}MiB\ncaches:\n  ${BENCH_CACHE}:\n    memory: ${MEMORY_MIB}MiB\n    eviction: ${policy}\n`;
}
