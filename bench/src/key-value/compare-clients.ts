import { cpus, loadavg } from 'node:os';
import { decimal, flag, integer, integers, names, parseOptions, text } from '../options.js';
import { CORES, canPin } from '../pinning.js';
import { CLIENT_NAMES, CLIENTS, type ClientName, REDIS_CLIENT_NAMES, type ServerName } from '../rivals/clients.js';
import type { Server } from '../servers/server.js';
import { startServers, stopServers } from '../servers/servers.js';
import { type BesideLargeMeasurement, LARGE_BYTES, LARGE_LOOPS, SMALL_CALLERS } from './beside-large.js';
import { ClientProcess } from './client-process.js';
import type { Measurement, Operation } from './closed-loop.js';
import { KEY_COUNT, VALUE_BYTES } from './key-space.js';

/**
 * The benches `get` and `set`: Larder beside Redis and memcached clients. Each client has a process of its own and talks
 * to one server process; all of them stay up for the whole run and take turns, so that a drift of the machine hits all
 * alike:
 *
 *   for each round: for each concurrency: for each client: warm up, measure
 *
 * Of the rounds of a cell the one with the median throughput is reported, with the latencies and CPU times of that very
 * round.
 */
type ByClient<T> = Record<ClientName, T | null>;
type Row = { concurrency: number; replicated?: object } & ByClient<Measurement> & { ratioToBestRedis: number | null };

/** Enough for every one of 4,096 callers to have come round a few times. */
const WARM_UP_MS = 150;

export async function compareClients(operation: Operation, argv: string[]): Promise<object> {
  const [loadBefore] = loadavg();
  const pinnable = canPin();
  const options = parseOptions(argv, {
    concurrency: integers({ otherwise: [1, 64, 512, 4_096], min: 1, max: 16_384 }),
    seconds: decimal({ otherwise: 0.5, min: 0.05, max: 600 }),
    repeat: integer({ otherwise: 3, min: 1, max: 100 }),
    only: names(
      operation === 'set' ? CLIENT_NAMES : CLIENT_NAMES.filter((name) => CLIENTS[name].server !== 'larder-pair'),
    ),
    besideLarge: flag(false),
    pin: flag(pinnable),
    profile: text('a folder for CPU profiles of the client processes and of the Larder node'),
  });
  const cores = options.pin ? CORES : undefined;
  const nodeFlags = options.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', options.profile];
  const servers = await startServers(serversOf(options.only), { core: cores?.server, nodeFlags });
  const clients = new Map<ClientName, ClientProcess>();
  try {
    await startClients(clients, options.only, servers, cores?.client, nodeFlags);
    await prepare(clients, operation);
    const measured = options.besideLarge
      ? await measureBesideLarge(clients, operation, options)
      : { rows: await measureRows(clients, operation, options) };
    for (const client of clients.values()) await client.verify();
    return { bench: operation, ...measured, setting: { ...settingOf(options, cores), loadBefore } };
  } finally {
    for (const client of clients.values()) await client.stop();
    await stopServers(servers);
  }
}

function serversOf(clients: readonly ClientName[]): Set<ServerName> {
  return new Set(clients.map((name) => CLIENTS[name].server));
}

async function startClients(
  clients: Map<ClientName, ClientProcess>,
  wanted: readonly ClientName[],
  servers: ReadonlyMap<ServerName, Server>,
  core: number | undefined,
  nodeFlags: readonly string[],
): Promise<void> {
  for (const name of wanted) {
    const server = servers.get(CLIENTS[name].server);
    if (server === undefined) continue;
    const setting = { client: name, endpoint: server.endpoint, serverPids: server.pids };
    clients.set(name, await ClientProcess.start(setting, core, nodeFlags));
  }
}

/** Fills each server once, by the first of its clients, and lets every client compile the operation. */
async function prepare(clients: ReadonlyMap<ClientName, ClientProcess>, operation: Operation): Promise<void> {
  const filled = new Set<ServerName>();
  for (const [name, client] of clients) {
    const { server } = CLIENTS[name];
    if (!filled.has(server)) await client.populate();
    filled.add(server);
    await client.verify();
    await client.heat(operation);
  }
}

interface MeasureOptions {
  readonly concurrency: readonly number[];
  readonly seconds: number;
  readonly repeat: number;
}

async function measureRows(
  clients: ReadonlyMap<ClientName, ClientProcess>,
  operation: Operation,
  { concurrency: concurrencies, seconds, repeat }: MeasureOptions,
): Promise<Row[]> {
  const rounds = new Map(concurrencies.map((concurrency) => [concurrency, new Rounds<Measurement>()]));
  for (let round = 1; round <= repeat; round++) {
    for (const [concurrency, cell] of rounds) {
      for (const [name, client] of clients) {
        const plan = { operation, concurrency, warmUpMs: WARM_UP_MS, windowMs: seconds * 1_000 };
        const measurement = await client.closedLoop(plan);
        cell.add(name, measurement);
        report(`${operation} x ${concurrency}, round ${round}/${repeat}`, name, measurement);
      }
    }
  }
  return [...rounds].map(([concurrency, cell]) => {
    const medians = cell.medians();
    return { concurrency, ...medians, ratioToBestRedis: ratioToBestRedis(medians), ...replicationOf(medians) };
  });
}

async function measureBesideLarge(
  clients: ReadonlyMap<ClientName, ClientProcess>,
  operation: Operation,
  { seconds, repeat }: MeasureOptions,
): Promise<object> {
  const cell = new Rounds<BesideLargeMeasurement>();
  for (let round = 1; round <= repeat; round++) {
    for (const [name, client] of clients) {
      const measurement = await client.besideLarge({ operation, warmUpMs: WARM_UP_MS, windowMs: seconds * 1_000 });
      cell.add(name, measurement);
      report(`${operation} beside 1 MiB values, round ${round}/${repeat}`, name, measurement);
    }
  }
  return {
    besideLarge: { callers: SMALL_CALLERS, largeLoops: LARGE_LOOPS, largeBytes: LARGE_BYTES, ...cell.medians() },
  };
}

/** What was measured of each client in one cell, round by round. */
class Rounds<M extends Measurement> {
  readonly #byClient = new Map<ClientName, M[]>();

  add(name: ClientName, measurement: M): void {
    const rounds = this.#byClient.get(name);
    if (rounds === undefined) this.#byClient.set(name, [measurement]);
    else rounds.push(measurement);
  }

  /** The round with the median throughput of each client, the lower one of two; null for a client that was left out. */
  medians(): ByClient<M> {
    const median = (name: ClientName): M | null => {
      const rounds = (this.#byClient.get(name) ?? []).toSorted((a, b) => a.ops - b.ops);
      return rounds[(rounds.length - 1) >> 1] ?? null;
    };
    return {
      larder: median('larder'),
      larderReplicated: median('larderReplicated'),
      larderOwnerOnly: median('larderOwnerOnly'),
      ioredis: median('ioredis'),
      ioredisAuto: median('ioredisAuto'),
      nodeRedis: median('nodeRedis'),
      memjs: median('memjs'),
    };
  }
}

function ratioToBestRedis(row: ByClient<Measurement>): number | null {
  const best = Math.max(...REDIS_CLIENT_NAMES.map((name) => row[name]?.ops ?? 0));
  return row.larder === null || best === 0 ? null : Math.round((row.larder.ops / best) * 100) / 100;
}

/** What a second copy costs, and what is left beside Redis without one. */
function replicationOf({ larderReplicated, larderOwnerOnly, ...row }: ByClient<Measurement>): object {
  if (larderReplicated === null) return {};
  const best = Math.max(...REDIS_CLIENT_NAMES.map((name) => row[name]?.ops ?? 0));
  const share = (ops: number | undefined): number | null =>
    ops ? Math.round((larderReplicated.ops / ops) * 100) / 100 : null;
  return { replicated: { toOwnerOnly: share(larderOwnerOnly?.ops), toBestRedis: share(best) } };
}

function report(cell: string, name: ClientName, { ops, p50Ms, p99Ms, clientCpuUs, serverCpuUs }: Measurement): void {
  const cpu = `CPU ${clientCpuUs} + ${serverCpuUs ?? '?'} us`;
  process.stderr.write(`${cell}: ${name} ${ops} op/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms, ${cpu}\n`);
}

function settingOf({ seconds, repeat }: MeasureOptions, cores: typeof CORES | undefined): object {
  return {
    keys: KEY_COUNT,
    valueBytes: VALUE_BYTES,
    seconds,
    repeat,
    pinnedToCores: cores ?? null,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpuCount: cpus().length,
  };
}
