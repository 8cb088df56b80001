import { type Clock, type Random, systemClock, systemRandom } from '@larder/base';
import { Loader } from '@larder/loader';
import type { ViewNode } from '@larder/proto';
import { Caches } from './caches.js';
import { startTimeVersions } from './cluster/versions.js';
import { staticView } from './cluster/view.js';
import type { ResolvedNodeConfig } from './config.js';
import { createLog, type Log } from './log.js';
import { type Origins, openOrigins } from './origins.js';
import { OwnedMemory } from './owned-memory.js';
import { RunningNode } from './running-node.js';
import { adminHandlers } from './server/admin.js';
import { Bulk } from './server/bulk.js';
import { ByteBudget } from './server/byte-budget.js';
import { Forwarder } from './server/forward.js';
import { GrpcServer } from './server/grpc-server.js';
import { ServerContext } from './server/server-context.js';
import { Unary } from './server/unary.js';
import { createStorage } from './storage/create-storage.js';
import type { Storage } from './storage/storage.js';
import { startSweeping } from './sweeping.js';

/**
 * The composition root: what a node is made of and in which order it starts. It stops in the reverse order
 * (running-node.ts).
 *
 *   storage -> origins -> sweeping -> view -> caches (loader over storage and origin) -> server -> listening
 */
export interface NodeOptions {
  readonly id: string;
  /** host:port */
  readonly listen: string;
  /** All nodes of the cluster, this one among them. */
  readonly nodes: readonly ViewNode[];
  readonly config: ResolvedNodeConfig;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  /** Default: the system's. */
  readonly random?: Random | undefined;
  /** Default: JSON on stdout. */
  readonly log?: Log | undefined;
}

/** Resolves when the node serves. Throws, with nothing left open, a LarderError that carries the exit code. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { id, listen, nodes, config, clock = systemClock, random = systemRandom } = options;
  const log = options.log ?? createLog(id, config.logLevel);
  const storage = openStorage(config, clock, random);
  const origins = await openOrigins(config, clock, log);
  const stopSweeping = startSweeping(storage, clock);
  const view = staticView(id, nodes);
  const caches = openCaches(config, storage, origins, clock, random);
  const context = new ServerContext(view, caches, config.valueBytesMax, log);
  const budget = new ByteBudget(config.transferBytesMax);
  const forwarder = new Forwarder(clock, budget, config.valueBytesMax);
  const unary = new Unary(context, clock, budget, forwarder);
  const server = new GrpcServer(context, clock, unary, new Bulk(context, clock, budget), config.sessionsMax);
  server.addAdmin(adminHandlers({ context, storage, clock, sessionCount: () => server.sessionCount }));
  const parts = { context, server, forwarder, stopSweeping, origins, clock, drainTimeoutMs: config.drainTimeoutMs };
  const node = new RunningNode(id, parts);
  try {
    await server.listen(listen);
  } catch (error) {
    await node.close();
    throw error;
  }
  const cacheNames = [...config.caches.keys()];
  const peers = nodes.map((peer) => `${peer.id}=${peer.address}`);
  const { memoryBytesMax } = config;
  log.info({ event: 'ready', listen, nodes: peers, partitions: view.ownedCount, caches: cacheNames, memoryBytesMax });
  return node;
}

function openStorage(config: ResolvedNodeConfig, clock: Clock, random: Random): Storage {
  const { memoryBytesMax, valueBytesMax } = config;
  const caches = [...config.caches.values()].map((policy, cache) => ({
    cache,
    memoryBytesMax: policy.memoryBytesMax,
    eviction: policy.eviction,
  }));
  return createStorage({ memoryBytesMax, valueBytesMax, caches }, clock, random);
}

/** A cache's id is its place in the config, which is the same on all nodes. */
function openCaches(
  config: ResolvedNodeConfig,
  storage: Storage,
  origins: Origins,
  clock: Clock,
  random: Random,
): Caches {
  const versions = startTimeVersions(clock);
  return new Caches(
    [...config.caches].map(([name, policy], id) => {
      const memory = new OwnedMemory(id, storage, versions);
      const origin = origins.of(name);
      return { id, name, memory, loader: new Loader({ name, policy, memory, origin, clock, random }) };
    }),
  );
}
