import { type Random, seededRandom } from '@larder/base';
import {
  type CopyEntries,
  decodeView,
  type Envelope,
  encodeView,
  LAN_TIMERS,
  Member,
  planPlacements,
  type ViewDocument,
} from '@larder/node/internal';
import { SimulatedNetwork } from './simulated-network.js';
import { SimulatedProcess } from './simulated-process.js';
import { SimulatedStore } from './simulated-store.js';
import { World } from './world.js';

/**
 * Many members with all 1,024 partitions and no entries, on good machines and a good network: for what depends on the
 * number of nodes alone. Nothing is checked here but how long things take.
 */
export const SCALE_PARTITIONS = 1_024;

const NETWORK = { delayMsMin: 0.1, delayMsMax: 1, slowShare: 0, slowMsMax: 0, lossShare: 0, repeatShare: 0 };

const NO_ENTRIES: CopyEntries = { ready: true, count: 0, apply: () => true, clean() {}, scan: () => 0, clear() {} };

export interface ScaleNode {
  readonly process: SimulatedProcess;
  readonly member: Member;
}

export class ScaleCluster {
  readonly world = new World(false);
  readonly random: Random = seededRandom(7);
  readonly network = new SimulatedNetwork(this.world, this.random, NETWORK);
  readonly store = new SimulatedStore(this.world, this.random, LAN_TIMERS.storeCallMs, (stored) => {
    this.view = decodeView(stored.document);
  });
  readonly nodes = new Map<string, ScaleNode>();
  view!: ViewDocument;
  /** Messages that were sent, by kind. */
  readonly sent = new Map<string, number>();
  /** Copies that members were told to hold. */
  created = 0;
  /** All see the same view, so one plan is enough for them. */
  #planned: { view: string; plan: ReturnType<typeof planPlacements> } = { view: '', plan: [] };

  constructor(count: number) {
    for (let index = 0; index < count; index++) this.start(`node${index}`);
    const members = [...this.nodes.values()].map(({ member }) => member.self);
    members.sort((a, b) => (a.id < b.id ? -1 : 1));
    this.view = evenView(members);
    this.store.stored = { version: 1, document: encodeView(this.view) };
  }

  start(id: string): void {
    const process = new SimulatedProcess(this.world, 1, 0, () => this.nodes.get(id)?.member.flush());
    const store = this.store.connect(id, process);
    const random = seededRandom(this.random.uint32());
    const self = { id, address: `${id}.cluster.example:7420`, zone: '', pool: '', weight: 1 };
    const member = new Member(
      // Without R10, as if there were entries.
      { self, clock: process, random, store, plan: (view) => this.#plan(view), placesEmpty: false },
      {
        send: (to, envelope) => this.#send(process, to, envelope),
        createEntries: () => {
          this.created++;
          return NO_ENTRIES;
        },
        ownerChanged() {},
        evictableChanged() {},
        viewInstalled() {},
        expelled() {},
        refused(_, error) {
          throw error;
        },
      },
    );
    this.nodes.set(id, { process, member });
    const linkOpened = (other: string): void => process.run(() => member.linkOpened(other));
    this.network.add({ name: id, deliver: (run) => process.run(run), linkOpened });
  }

  kill(id: string): void {
    const { process, member } = this.nodes.get(id)!;
    process.kill();
    member.stop();
    this.nodes.delete(id);
    this.network.breakAll(id);
  }

  /** Simulated milliseconds until it is so. */
  until(isSo: () => boolean, withinMs: number, stepMs = 10): number {
    const beganMs = this.world.now;
    while (!isSo()) {
      if (this.world.now - beganMs > withinMs) throw new Error(`it took longer than ${withinMs} ms`);
      this.world.runUntil(this.world.now + stepMs);
    }
    return this.world.now - beganMs;
  }

  get served(): boolean {
    return this.view.partitions.every(({ owner }, partition) => this.nodes.get(owner)?.member.serves(partition));
  }

  /** All partitions have both their copies, on nodes that run. */
  get replicated(): boolean {
    return this.view.partitions.every(({ owner, successor }) => this.nodes.has(owner) && this.nodes.has(successor));
  }

  /** All partitions are where the plan has them. */
  get settled(): boolean {
    const plan = this.#plan(this.view);
    return this.view.partitions.every(
      ({ owner, successor, learner }, partition) =>
        learner === '' && owner === plan[partition]!.owner && successor === plan[partition]!.successor,
    );
  }

  #plan(view: ViewDocument): ReturnType<typeof planPlacements> {
    const name = `${view.version} ${view.by}`;
    if (this.#planned.view !== name) this.#planned = { view: name, plan: planPlacements(view) };
    return this.#planned.plan;
  }

  #send(process: SimulatedProcess, to: string, envelope: Envelope): void {
    if (!process.alive) return;
    const { kind } = envelope.message;
    this.sent.set(kind, (this.sent.get(kind) ?? 0) + 1);
    this.network.send(envelope.node, to, () => this.nodes.get(to)?.member.receive(envelope));
  }
}

/** Each partition has an owner, in turn, and another that is to be filled as its successor. */
function evenView(members: ViewDocument['members']): ViewDocument {
  const placement = { epoch: 1, successor: '', successorCopy: 0, origin: 'fresh', wait: 0, lost: 0 } as const;
  const config = { copies: 2, copiesMin: 1, timers: LAN_TIMERS } as const;
  const owned = Array.from({ length: SCALE_PARTITIONS }, (_, partition) => ({
    ...placement,
    owner: members[partition % members.length]!.id,
    ownerCopy: 2 * partition + 1,
    learner: '',
    learnerCopy: 0,
  }));
  const plan = planPlacements({ members, partitions: owned, config });
  const partitions = owned.map((owner, partition) => ({
    ...owner,
    learner: plan[partition]!.successor,
    learnerCopy: 2 * partition + 2,
  }));
  const [version, baseEpoch, nextCopy] = [1, 1, 2 * SCALE_PARTITIONS + 1];
  const cluster = '0123456789abcdef0123456789abcdef';
  return { cluster, version, by: '0123456789abcdef', baseEpoch, nextCopy, config, members, partitions };
}
