import type { ReplicatedRecord, ViewDocument } from '@larder/node/internal';
import type { Cluster } from '../cluster.js';
import type { SimulatedNode } from '../simulated-node.js';
import { checkAckSets } from './ack-sets.js';
import { checkCopyIds } from './copy-ids.js';
import { DurableWrites } from './durable-writes.js';
import { checkMonotonic } from './monotonic-views.js';
import { checkServingTable } from './serving-table.js';
import { checkSingleOwner } from './single-owner.js';

/** Runs the checkers of the invariants at the moments at which each can have been broken. */
export class Checkers {
  readonly durable: DurableWrites;
  #nextSweepMs = 0;

  constructor(readonly cluster: Cluster) {
    this.durable = new DurableWrites(cluster);
  }

  beforeServing(node: SimulatedNode, partition: number): void {
    checkServingTable(this.cluster, node);
    if (node.member?.serves(partition)) checkSingleOwner(this.cluster, partition, node);
  }

  committed(partition: number, record: ReplicatedRecord): void {
    this.durable.committed(partition, record);
  }

  viewChosen(view: ViewDocument, before: ViewDocument | undefined): void {
    checkMonotonic(this.cluster, view, before);
    this.durable.viewChosen(view, before);
    checkAckSets(this.cluster);
  }

  /** Much cannot change in a millisecond: all nodes are looked at every few. */
  afterTurn(node: SimulatedNode): void {
    const { cluster } = this;
    if (cluster.world.now < this.#nextSweepMs) return;
    this.#nextSweepMs = cluster.world.now + SWEEP_MS;
    checkServingTable(cluster, node);
    for (let partition = 0; partition < cluster.options.partitions; partition++) {
      checkSingleOwner(cluster, partition, node);
    }
    checkCopyIds(cluster);
    checkAckSets(cluster);
    this.durable.check();
  }
}

const SWEEP_MS = 12;
