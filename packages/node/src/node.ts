import { type Clock, type Random, systemClock, systemRandom } from '@larder/base';
import { Loader } from '@larder/loader';
import { peerService, type SharedSettings, toLarderError, type ViewNode } from '@larder/proto';
import { Caches } from './caches.js';
import type { FoundingOptions } from './cluster/founding-view.js';
import type { ResolvedNodeConfig } from './config.js';
import { ExitCode, startFault } from './exit-code.js';
import { askCluster } from './link/ask-cluster.js';
import { type OpenedViewStore, openViewStore } from './link/open-view-store.js';
import { PeerLinks } from './link/peer-links.js';
import { peerHandlers } from './link/peer-service.js';
import { createLog, type Log } from './log.js';
import { startMaintenance } from './maintenance.js';
import { Membership } from './membership.js';
import { type Origins, openOrigins } from './origins.js';
import { clientView } from './partitions/client-view.js';
import { PartitionMemory } from './partitions/partition-memory.js';
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

/**
 * The composition root: what a node is made of and in which order it starts. It stops in the reverse order
 * (running-node.ts).
 *
 *   membership -> storage -> origins -> caches (loader over storage and origin) -> server, links -> view store -> joined
 */
export interface NodeOptions {
  readonly id: string;
  /** host:port */
  readonly listen: string;
  /** host:port by which clients and other nodes reach this one. Default: `listen`. */
  readonly advertise?: string | undefined;
  /** 1, 3 or 5 nodes that found the cluster and keep its view. Default: this one alone, unless `join` is given. */
  readonly voters?: readonly ViewNode[] | undefined;
  /** host:port of nodes of a running cluster. */
  readonly join?: readonly string[] | undefined;
  /** Directory for a voter's file. Default: it is kept in memory. */
  readonly dataPath?: string | undefined;
  readonly zone?: string | undefined;
  /** Default 1. */
  readonly weight?: number | undefined;
  readonly config: ResolvedNodeConfig;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  /** Default: the system's. */
  readonly random?: Random | undefined;
  /** Default: JSON on stdout. */
  readonly log?: Log | undefined;
}

/** Resolves when the node is a member of its cluster. Throws, with nothing left open, a LarderError with the exit code. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { id, listen, config, clock = systemClock, random = systemRandom } = options;
  const { advertise = listen, zone = '', weight = 1 } = options;
  const log = options.log ?? createLog(id, config.logLevel);
  const settings = sharedSettings(config);
  const origins = await openOrigins(config, id, clock, log);
  const viewStore = await openRegister(options, advertise, clock, random, log).catch(async (error) => {
    await origins.close();
    throw error;
  });
  const { voters } = viewStore;
  const membership = new Membership(id, () => links.flush());
  const storage = openStorage(config, clock, random, membership);
  const caches = openCaches(config, storage, origins, clock, random, membership);
  const context = new ServerContext(id, membership.partitions, caches, config.valueBytesMax, log);
  const budget = new ByteBudget(config.transferBytesMax);
  const forwarder = new Forwarder(clock, budget, config.valueBytesMax);
  const unary = new Unary(context, clock, budget, forwarder);
  const server = new GrpcServer(context, clock, unary, new Bulk(context, clock, budget), config.sessionsMax);
  const links = new PeerLinks(membership, {
    selfId: id,
    address: advertise,
    settings,
    identity: () => membership.identity,
    clock,
    random,
  });
  const describe = () => ({ ...membership.description, ...settings, node: id, voters });
  server.addService(peerService, peerHandlers({ links, viewStore, describe }), () => void links.close());
  const sessionCount = (): number => server.sessionCount;
  const status = () => membership.member?.status();
  const placement = (partition: number) => membership.member?.view?.partitions[partition];
  server.addAdmin(adminHandlers({ context, storage, clock, sessionCount, status, placement }));
  const stopMaintenance = startMaintenance(membership, clock);
  const node = new RunningNode(id, {
    context,
    server,
    forwarder,
    membership,
    viewStore,
    stopMaintenance,
    origins,
    clock,
    config,
  });
  try {
    await origins.watch(caches, random);
    await server.listen(listen);
    await membership.join({
      self: { id, address: advertise, zone, pool: '', weight },
      store: viewStore.store,
      storage,
      caches,
      clock,
      random,
      log,
      founding: voters.some((voter) => voter.id === id) ? foundingOptions(config, voters.length, clock) : undefined,
      send: (to, envelope) => links.send(to, envelope),
      takenOver: () => origins.replayChanges(),
      viewInstalled: (view) => {
        context.view = clientView(view);
        links.follow(view.members);
        server.viewChanged();
      },
    });
    server.startServing();
  } catch (error) {
    await node.close();
    throw error;
  }
  const { memoryBytesMax } = config;
  const cacheNames = [...config.caches.keys()];
  log.info({ event: 'ready', listen, advertise, view: context.view?.version, caches: cacheNames, memoryBytesMax });
  return node;
}

async function openRegister(
  options: NodeOptions,
  advertise: string,
  clock: Clock,
  random: Random,
  log: Log,
): Promise<OpenedViewStore> {
  const voters = await findVoters(options, advertise, clock, random, log);
  const callMs = options.config.timers.storeCallMs;
  return openViewStore({ voters, selfId: options.id, dataDir: options.dataPath, clock, random, log, callMs });
}

/** Those that the command line names, or those of the cluster that is to be joined; else this node alone. */
async function findVoters(
  { id, voters = [], join = [], config }: NodeOptions,
  advertise: string,
  clock: Clock,
  random: Random,
  log: Log,
): Promise<readonly ViewNode[]> {
  if (voters.length > 0) return voters;
  if (join.length === 0) return [{ id, address: advertise }];
  const settings = sharedSettings(config);
  const description = await askCluster(join, { clock, random, log, settings }).catch((error) => {
    const { code, reason } = toLarderError(error);
    throw code === 'INCOMPATIBLE' ? startFault(ExitCode.config, code, reason, error) : error;
  });
  return description.voters;
}

function sharedSettings({ caches, copies }: ResolvedNodeConfig): SharedSettings {
  return { caches: [...caches.keys()], copies };
}

/**
 * Epochs of a cluster begin with the minute in which it was founded, so that one that was begun anew writes above all
 * that the one before it has written.
 */
const EPOCH_ZERO_MS = Date.UTC(2026, 0, 1);
const EPOCH_MS = 60_000;

function foundingOptions(
  { copies, copiesMin, timers }: ResolvedNodeConfig,
  voters: number,
  clock: Clock,
): FoundingOptions {
  const baseEpoch = Math.max(1, Math.floor((clock.wallMs() - EPOCH_ZERO_MS) / EPOCH_MS));
  return { config: { copies, copiesMin, timers }, voters, baseEpoch };
}

function openStorage(config: ResolvedNodeConfig, clock: Clock, random: Random, membership: Membership): Storage {
  const { memoryBytesMax, valueBytesMax } = config;
  const caches = [...config.caches.values()].map((policy, cache) => ({
    cache,
    memoryBytesMax: policy.memoryBytesMax,
    eviction: policy.eviction,
  }));
  const options = { memoryBytesMax, valueBytesMax, caches, owned: false };
  const storage = createStorage(options, clock, random, membership.removals.noted);
  membership.removals.storage = storage;
  return storage;
}

/** A cache's id is its place in the config, which is the same on all nodes (link/shared-settings.ts). */
function openCaches(
  config: ResolvedNodeConfig,
  storage: Storage,
  origins: Origins,
  clock: Clock,
  random: Random,
  { partitions, removals }: Membership,
): Caches {
  return new Caches(
    [...config.caches].map(([name, policy], id) => {
      const memory = new PartitionMemory(id, storage, partitions, removals);
      const origin = origins.of(name);
      return { id, name, memory, loader: new Loader({ name, policy, memory, origin, clock, random }) };
    }),
  );
}
