import { type ManualClock, seededRandom } from '@larder/base';
import { Caches, type NodeCache } from '../caches.js';
import { LAN_TIMERS } from '../cluster/timers.js';
import { MemoryViewStore } from '../cluster/view-store/memory-view-store.js';
import type { Log } from '../log.js';
import { Membership } from '../membership.js';
import { clientView } from '../partitions/client-view.js';
import { PartitionMemory } from '../partitions/partition-memory.js';
import { ServerContext } from '../server/server-context.js';
import { createStorage } from '../storage/create-storage.js';
import type { Storage, StorageOptions } from '../storage/storage.js';

export const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

export interface LoneNode {
  readonly context: ServerContext;
  readonly membership: Membership;
  readonly storage: Storage;
  stop(): void;
}

/** Everything of a node but its network, on a clock that the test moves: a cluster of its own that serves every key. */
export async function loneNode(
  clock: ManualClock,
  options: StorageOptions,
  openCache: (memory: PartitionMemory, id: number) => NodeCache,
): Promise<LoneNode> {
  const membership = new Membership('n1', () => {});
  const storage = createStorage({ ...options, owned: false }, clock, seededRandom(1), membership.removals.noted);
  membership.removals.storage = storage;
  const caches = new Caches(
    options.caches.map(({ cache }) =>
      openCache(new PartitionMemory(cache, storage, membership.partitions, membership.removals), cache),
    ),
  );
  const context = new ServerContext('n1', membership.partitions, caches, options.valueBytesMax, SILENT);
  let hasJoined = false;
  const joining = membership.join({
    self: { id: 'n1', address: '127.0.0.1:7000', zone: '', pool: '', weight: 1 },
    founding: { config: { copies: 1, copiesMin: 1, timers: LAN_TIMERS }, voters: 1 },
    store: new MemoryViewStore(),
    storage,
    caches,
    clock,
    random: seededRandom(2),
    log: SILENT,
    send: () => {},
    takenOver: () => {},
    viewInstalled: (view) => {
      context.view = clientView(view);
    },
  });
  void joining.then(() => {
    hasJoined = true;
  });
  while (!hasJoined) {
    clock.advance(10);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return { context, membership, storage, stop: () => membership.stop() };
}
