import { type Random, seededRandom } from '@larder/base';
import {
  ALL_RULES,
  decodeView,
  LAN_TIMERS,
  type ProtocolRules,
  type ViewDocument,
  type ViewStore,
} from '@larder/node/internal';
import { Checkers } from './checkers/checkers.js';
import { History } from './history.js';
import type { SimulationOptions } from './options.js';
import { Outsider } from './outsider.js';
import { SimulatedClient } from './simulated-client.js';
import { SimulatedDatabase } from './simulated-database.js';
import { entriesOf } from './simulated-entries.js';
import { SimulatedNetwork } from './simulated-network.js';
import { SimulatedNode } from './simulated-node.js';
import type { SimulatedProcess } from './simulated-process.js';
import { SimulatedStore } from './simulated-store.js';
import { SimulatedVoters } from './simulated-voters.js';
import { World } from './world.js';

/** How writes of a key reach the database. `outside`: others write the rows, and invalidate what the cache has of them. */
export type WriteStrategy = 'none' | 'behind' | 'through' | 'outside';

export interface SimulatedKey {
  readonly partition: number;
  readonly name: string;
  readonly counter: boolean;
  readonly strategy: WriteStrategy;
}

/** Everything of one simulation, put together from its options. */
export class Cluster {
  readonly world: World;
  readonly random: Random;
  readonly network: SimulatedNetwork;
  readonly history = new History();
  readonly checkers: Checkers;
  readonly database: SimulatedDatabase;
  readonly nodes = new Map<string, SimulatedNode>();
  readonly clients: SimulatedClient[] = [];
  readonly keys: SimulatedKey[][] = [];
  readonly store: SimulatedStore | undefined;
  readonly voters: SimulatedVoters | undefined;
  readonly outsider: Outsider | undefined;
  /** By key: the last value that anybody wanted it to have. */
  readonly lastValues = new Map<string, string>();
  /** Of the last call that a client has begun. */
  lastKey: SimulatedKey | undefined;
  /** Everybody wants this one. */
  crowdedKey: SimulatedKey | undefined;
  /** What the view store holds, as far as anybody knows. */
  chosen: ViewDocument | undefined;
  acknowledgedWrites = 0;
  constructor(
    readonly options: SimulationOptions,
    readonly rules: ProtocolRules = ALL_RULES,
    tracing = false,
  ) {
    this.world = new World(tracing);
    this.random = seededRandom(options.seed ^ 0x5eed);
    this.network = new SimulatedNetwork(this.world, this.random, options.network);
    this.checkers = new Checkers(this);
    this.database = new SimulatedDatabase(this.world, this.random, options.fenced);
    const { world, random } = this;
    if (options.voters === 0) {
      this.store = new SimulatedStore(world, random, LAN_TIMERS.storeCallMs, ({ document }) =>
        this.sawView(decodeView(document)),
      );
      this.store.lossShare = options.storeLossShare;
      this.store.lateShare = options.storeLateShare;
    } else {
      this.voters = new SimulatedVoters(world, random, this.network, options.voters, LAN_TIMERS.storeCallMs, rules);
    }
    this.#makeKeys();
    for (let index = 0; index < options.nodes; index++) this.addNode();
    if (options.invalidateEveryMs > 0) this.outsider = new Outsider(this, options.invalidateEveryMs);
    for (let index = 0; index < options.clients; index++) {
      this.clients.push(new SimulatedClient(this, `client${index}`, random));
    }
  }

  addNode(): SimulatedNode {
    const index = this.nodes.size;
    const node = new SimulatedNode(this, `node${index}`, `zone${index % this.options.zones}`, index === 0);
    this.nodes.set(node.name, node);
    return node;
  }

  connectStore(node: string, process: SimulatedProcess, random: Random): ViewStore {
    if (this.store !== undefined) return this.store.connect(node, process);
    const incarnation = Array.from({ length: 4 }, () => random.uint32().toString(16).padStart(8, '0')).join('');
    return this.voters!.connect(node, process, random, incarnation);
  }

  sawView(view: ViewDocument): void {
    if (this.chosen !== undefined && view.version < this.chosen.version) return;
    const before = this.chosen;
    if (before?.version === view.version) {
      if (before.by !== view.by) this.fail(`two views of version ${view.version}`);
      return;
    }
    this.chosen = view;
    this.world.tell(() => `view ${view.version}: ${viewText(view)}`);
    this.checkers.viewChosen(view, before);
  }

  /** Whether the owner that the view names serves the partition right now. */
  serves(partition: number): boolean {
    const owner = this.chosen?.partitions[partition]?.owner ?? '';
    return this.nodes.get(owner)?.member?.serves(partition) ?? false;
  }

  /** Which partitions nobody serves, and why; '' if all are served. */
  unserved(): string {
    const { chosen } = this;
    if (chosen === undefined) return 'there is no view';
    return chosen.partitions
      .map(({ owner }, partition) => {
        const node = this.nodes.get(owner);
        return node?.member?.serves(partition)
          ? ''
          : `p${partition} at ${owner}: ${node?.member?.obstacle(partition)} `;
      })
      .join('');
  }

  /** Whether every partition has two copies, if there are nodes for that. */
  replicated(): boolean {
    const { chosen } = this;
    if (chosen === undefined || chosen.members.filter(({ draining }) => !draining).length < 2)
      return chosen !== undefined;
    return chosen.partitions.every(({ successor }) => successor !== '');
  }

  /** Whether nothing is pending, all know the view, and the database has everything. */
  quiet(): boolean {
    for (const { member } of this.nodes.values()) {
      if (member !== undefined && member.view?.version !== this.chosen?.version) return false;
      for (const replicator of member?.holdings.replicators() ?? []) {
        if (!replicator.idle) return false;
        for (const { dirty } of entriesOf(replicator).entries.values()) if (dirty) return false;
      }
    }
    return true;
  }

  fail(message: string): never {
    this.world.tell(() => `FAILED: ${message}`);
    throw new Error(message);
  }

  #makeKeys(): void {
    const { partitions, keysPerPartition } = this.options;
    for (let partition = 0; partition < partitions; partition++) {
      this.keys.push(
        Array.from({ length: keysPerPartition }, (_, index) => ({
          partition,
          name: `p${partition}k${index}`,
          counter: index % 3 === 1,
          strategy: this.#strategy(index % 3 === 1, this.random.next()),
        })),
      );
    }
  }

  #strategy(counter: boolean, dice: number): WriteStrategy {
    const { writeBehindShare, writeThroughShare } = this.options;
    if (dice < writeBehindShare) return 'behind';
    return dice >= 1 - writeThroughShare && !counter ? 'through' : 'none';
  }
}

export function viewText(view: ViewDocument): string {
  const members = view.members.map(
    ({ id, incarnation, draining }) => `${id}/${incarnation.slice(0, 4)}${draining ? '-' : ''}`,
  );
  const partitions = view.partitions.map(
    (p, index) =>
      `p${index} e${p.epoch} ${p.owner}#${p.ownerCopy}${p.successor && ` s=${p.successor}#${p.successorCopy}`}` +
      `${p.learner && ` l=${p.learner}#${p.learnerCopy}`} ${p.origin} w${p.wait}${p.lost ? ` lost${p.lost}` : ''}`,
  );
  return `${members.join(' ')} | ${partitions.join(' | ')}`;
}
