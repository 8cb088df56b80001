import type { Replicator } from '../replication/replicator.js';
import type { PeerLease } from './pair-leases.js';
import { leaseGranters, type ServeFacts, standingObstacle } from './serve-rule.js';

/**
 * The serve rule for the hot path, where it is asked for every operation. What the view and the copies say is worked out
 * when they change, for one partition or for all; what the clocks say is looked at once a turn, for each group of nodes
 * whose leases a partition needs. Then an operation costs two reads of typed arrays.
 *
 *   groups   by partition   0: not served, whatever the leases; 1: needs no lease but that of the view; 2...: a group
 *   open     by group       whether all its leases were held when the turn began
 *
 * It says in each turn what serveObstacle says, provided that the turn began with `beginTurn`, and that turns are short:
 * a lease ends for its granter at least 30 ms after it ended here (see timers.ts).
 */
export interface ServingTableFacts extends ServeFacts {
  lease(id: string): PeerLease | undefined;
}

const NOT_SERVED = 0;
const WITHOUT_LEASE = 1;

export class ServingTable {
  readonly #groups: Uint16Array;
  readonly #replicators: (Replicator | undefined)[];
  /** More groups than the partitions have there cannot be. */
  readonly #open: Uint8Array;
  /** The leases of each group; undefined for a node that can grant none. */
  #leases: (PeerLease | undefined)[][] = [[], []];
  readonly #groupOf = new Map<string, number>();
  /** Beyond it most are of no use any more, and each is looked at once a turn. */
  #groupsMax = 0;
  #closed = false;
  /** Partitions that only time keeps from being served. */
  readonly #waiting = new Set<number>();

  constructor(
    partitionCount: number,
    readonly facts: ServingTableFacts,
  ) {
    this.#groups = new Uint16Array(partitionCount);
    this.#replicators = new Array(partitionCount).fill(undefined);
    this.#open = new Uint8Array(2 + 2 * partitionCount);
  }

  /** Whether this node may read and write the partition, in the turn that has begun. */
  serves(partition: number): boolean {
    return this.#open[this.#groups[partition]!] === 1;
  }

  /** The partition, if this node may read and write it in the turn that has begun. */
  serving(partition: number): Replicator | undefined {
    return this.#open[this.#groups[partition]!] === 1 ? this.#replicators[partition] : undefined;
  }

  /** Looks at the clocks. Call it first in every turn that asks. */
  beginTurn(): void {
    if (this.#waiting.size > 0) for (const partition of [...this.#waiting]) this.update(partition);
    this.#look(WITHOUT_LEASE);
  }

  /** The view, the proposals or the copies have changed: about these partitions, or about who grants leases. */
  updateAll(partitions: readonly number[], isRegrouped: boolean): void {
    if (isRegrouped || this.#leases.length > this.#groupsMax) this.rebuild();
    else for (const partition of partitions) this.update(partition);
    this.#look(WITHOUT_LEASE);
  }

  /** All of it, anew: groups that no partition needs any more are forgotten. */
  rebuild(): void {
    this.#leases = [[], []];
    this.#groupOf.clear();
    for (let partition = 0; partition < this.#groups.length; partition++) this.update(partition);
    this.#groupsMax = 2 * this.#leases.length;
    this.#look(WITHOUT_LEASE);
  }

  /** Something has changed about one partition. */
  update(partition: number): void {
    const { facts } = this;
    if (this.#closed) return;
    const obstacle = standingObstacle(partition, facts);
    if (obstacle === 'waiting') this.#waiting.add(partition);
    else this.#waiting.delete(partition);
    const serves = obstacle === undefined;
    this.#replicators[partition] = serves ? facts.copyOf(partition)!.replicator : undefined;
    this.#groups[partition] = serves ? this.#group(leaseGranters(partition, facts)) : NOT_SERVED;
  }

  /** Nothing is served any more. */
  close(): void {
    this.#closed = true;
    this.#groups.fill(NOT_SERVED);
    this.#replicators.fill(undefined);
    this.#waiting.clear();
  }

  #group(granters: readonly string[]): number {
    if (granters.length === 0) return WITHOUT_LEASE;
    const name = granters.length === 1 ? granters[0]! : granters.join('\n');
    const known = this.#groupOf.get(name);
    if (known !== undefined) return known;
    if (this.#leases.length === this.#open.length) {
      this.rebuild();
      return this.#group(granters);
    }
    const group = this.#leases.push(granters.map((id) => this.facts.lease(id))) - 1;
    this.#groupOf.set(name, group);
    this.#look(group);
    return group;
  }

  /** Looks at the leases of the groups from the given one on. */
  #look(first: number): void {
    const { time, rules, view, viewConfirmed } = this.facts;
    if (view === undefined) return;
    const { viewLeaseMs, leaseMs } = view.config.timers;
    const monotonicMs = time.clock.monotonicMs();
    const wallMs = time.wallMs();
    const viewIsHeld = !rules.viewLease || time.heldAt(viewConfirmed, monotonicMs, wallMs) < viewLeaseMs;
    for (let group = first; group < this.#leases.length; group++) {
      let open = viewIsHeld;
      for (const lease of this.#leases[group]!) {
        if (lease === undefined || time.heldAt(lease.held, monotonicMs, wallMs) >= leaseMs) open = false;
      }
      this.#open[group] = open ? 1 : 0;
    }
  }
}
