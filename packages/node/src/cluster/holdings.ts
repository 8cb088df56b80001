import { assert, type Random } from '@larder/base';
import type { CopyEntries } from '../replication/copy-entries.js';
import type { Replica } from '../replication/replica.js';
import type { FollowerPlace, Replicator, ReplicatorHost } from '../replication/replicator.js';
import { RequestLog } from '../replication/request-log.js';
import { RequestTable } from '../replication/request-table.js';
import { HeldCopy } from './held-copy.js';
import type { PairLeases } from './pair-leases.js';
import type { ProtocolRules } from './protocol-rules.js';
import type { ClusterTimers } from './timers.js';
import { memberOf, type PartitionPlacement, type ViewDocument } from './view-document.js';

/**
 * The copies that this node holds. A new view is installed by moving each copy to where the view says it is; a copy
 * that the view does not name is dropped, and only a learner or a fresh owner gets a new one. So a node that does not
 * hold the copy id that the view names does not hold the partition, however it was reached.
 */
export interface HoldingsHost extends ReplicatorHost {
  readonly self: { readonly id: string; readonly incarnation: string };
  readonly leases: PairLeases;
  readonly rules: ProtocolRules;
  readonly timers: ClusterTimers;
  createEntries(partition: number, copy: number): CopyEntries;
  /** See MemberHost. */
  ownerChanged(partition: number, owns: boolean): void;
  evictableChanged(partition: number, evictable: boolean): void;
  /** Successors, by this node's open proposals. */
  proposedSuccessors(partition: number): readonly FollowerPlace[];
}

interface Place {
  readonly role: 'owner' | 'successor' | 'learner';
  readonly copy: number;
}

export class Holdings {
  readonly copies = new Map<number, HeldCopy>();
  /** The same by partition, for the hot path. */
  readonly #copies: (HeldCopy | undefined)[] = [];
  /** Of the copies that this node owns, by partition. */
  readonly #owners: (Replicator | undefined)[] = [];
  /** Of those that it does not own. */
  readonly #replicas: (Replica | undefined)[] = [];
  /** Of all copies. */
  readonly requests: RequestTable;

  constructor(
    readonly host: HoldingsHost,
    random: Random,
  ) {
    this.requests = new RequestTable(random.uint32());
  }

  /** Undefined unless this node owns the partition in the installed view. */
  owner(partition: number): Replicator | undefined {
    return this.#owners[partition];
  }

  /** Undefined unless this node has a copy of the partition that another node owns in the installed view. */
  replica(partition: number): Replica | undefined {
    return this.#replicas[partition];
  }

  copy(partition: number): HeldCopy | undefined {
    return this.#copies[partition];
  }

  /** Moves the copies of the partitions that `changes` names: no other differs from the view before. */
  install(view: ViewDocument, before: ViewDocument | undefined, changes: readonly number[]): void {
    const { self, rules } = this.host;
    const listed = isListed(view, self) || !rules.incarnations;
    const placeAt = (partition: number): Place | undefined =>
      listed ? placeOf(view.partitions[partition]!, self.id) : undefined;
    // What is lost goes first: who hears of that may turn to other partitions, which are still as they were.
    for (const partition of changes) this.#dropUnlessAt(partition, placeAt(partition));
    // Only now: an owner whose copy was replaced by another one has just been told that it owns the partition no more.
    const owned = new Set(changes.filter((partition) => this.#owners[partition] !== undefined));
    for (const partition of changes) {
      const place = placeAt(partition);
      if (place !== undefined) this.#move(partition, place, view.partitions[partition]!, before);
    }
    this.configure(view, changes);
    for (const partition of changes) {
      if (this.#owners[partition] !== undefined && !owned.has(partition)) this.#tellOwner(partition, true);
    }
  }

  /** Tells replicators who follows. Call it after a new view and whenever a proposal is made or settled, for what that changes. */
  configure(view: ViewDocument, changes: readonly number[]): void {
    for (const partition of changes) {
      const replicator = this.#owners[partition];
      if (replicator === undefined) continue;
      const { epoch, successor, successorCopy, learner, learnerCopy } = view.partitions[partition]!;
      const proposed = this.host.rules.union ? this.host.proposedSuccessors(partition) : [];
      replicator.configure(epoch, followerAt(successor, successorCopy), followerAt(learner, learnerCopy), proposed);
    }
  }

  replicators(): Replicator[] {
    const replicators: Replicator[] = [];
    for (const { replicator } of this.copies.values()) if (replicator !== undefined) replicators.push(replicator);
    return replicators;
  }

  dropAll(): void {
    for (const partition of [...this.copies.keys()]) this.#drop(partition);
  }

  #dropUnlessAt(partition: number, place: Place | undefined): void {
    const copy = this.copies.get(partition);
    if (copy === undefined || copy.id === place?.copy) return;
    if (this.host.rules.copyIds || place === undefined) this.#drop(partition);
  }

  #drop(partition: number): void {
    const copy = this.copies.get(partition)!;
    this.copies.delete(partition);
    this.#copies[partition] = undefined;
    this.#owners[partition] = undefined;
    this.#replicas[partition] = undefined;
    if (copy.replicator !== undefined) this.#tellOwner(partition, false);
    copy.drop();
  }

  #tellOwner(partition: number, owns: boolean): void {
    this.host.ownerChanged(partition, owns);
    this.host.evictableChanged(partition, owns);
  }

  #move(partition: number, place: Place, placement: PartitionPlacement, before: ViewDocument | undefined): void {
    const copy = this.copies.get(partition) ?? this.#create(partition, place, placement);
    if (copy === undefined) return;
    if (place.role === 'successor' && copy.phase !== 'successor') {
      if (copy.phase === 'owner') {
        this.#tellOwner(partition, false);
        copy.beforeMineMs = this.host.nowMs();
      }
      copy.becomeSuccessor();
      this.#owners[partition] = undefined;
    }
    if (place.role === 'owner' && copy.phase !== 'owner') {
      copy.becomeOwner(placement.epoch, this.#waitUntilMs(partition, placement, before), this.host);
      this.#owners[partition] = copy.replicator;
      copy.isInherited = !isFirst(placement);
      if (placement.origin !== 'handed-over' && copy.isInherited) copy.beforeMineMs = copy.waitUntilMs;
    }
    copy.replica.follow(placement.owner, placement.epoch);
    this.#replicas[partition] = copy.phase === 'owner' ? undefined : copy.replica;
  }

  readonly #frozenChanged = ({ partition, frozenMs }: HeldCopy): void => {
    this.host.evictableChanged(partition, frozenMs === undefined);
  };

  /** Undefined: the view names a copy that this node should have and has not. Its peers will find that out by its silence. */
  #create(partition: number, { role, copy: id }: Place, placement: PartitionPlacement): HeldCopy | undefined {
    const { origin } = placement;
    const fresh = (role === 'owner' && origin === 'fresh') || (role !== 'learner' && origin === 'placed');
    if (role !== 'learner' && !fresh) return undefined;
    const entries = this.host.createEntries(partition, id);
    const requests = new RequestLog(this.requests);
    const copy = new HeldCopy(partition, id, entries, requests, this.host.rules.seqOrder, this.#frozenChanged);
    if (fresh) copy.startEmpty();
    if (role !== 'owner' || !isFirst(placement)) copy.beforeMineMs = this.host.nowMs();
    this.copies.set(partition, copy);
    this.#copies[partition] = copy;
    return copy;
  }

  #waitUntilMs(
    partition: number,
    { wait, epoch, origin }: PartitionPlacement,
    before: ViewDocument | undefined,
  ): number {
    const { rules, leases, timers } = this.host;
    const nowMs = this.host.nowMs();
    if (origin === 'fresh' ? !rules.freshWait : !rules.promotedWait) return nowMs;
    switch (wait) {
      case 0:
        return nowMs;
      case 1: {
        const old = before?.partitions[partition];
        const owner = old && old.epoch + 1 === epoch ? memberOf(before!, old.owner) : undefined;
        return (owner === undefined ? nowMs : leases.grantedMs(owner.incarnation)) + timers.graceMs;
      }
      case 2:
        return nowMs + timers.graceMs;
      case 3:
        return nowMs + timers.viewGraceMs;
    }
  }
}

/** Nobody has owned it before, or nobody who wrote to it. */
function isFirst({ origin, wait, lost }: PartitionPlacement): boolean {
  return lost === 0 && (origin === 'fresh' || (origin === 'placed' && wait === 0));
}

function isListed(view: ViewDocument, self: { id: string; incarnation: string }): boolean {
  return memberOf(view, self.id)?.incarnation === self.incarnation;
}

function placeOf(placement: PartitionPlacement, id: string): Place | undefined {
  if (placement.owner === id) return { role: 'owner', copy: placement.ownerCopy };
  if (placement.successor === id) return { role: 'successor', copy: placement.successorCopy };
  if (placement.learner === id) return { role: 'learner', copy: placement.learnerCopy };
  return undefined;
}

function followerAt(node: string, copy: number): FollowerPlace | undefined {
  assert((node === '') === (copy === 0), 'a copy without a node');
  return node === '' ? undefined : { node, copy };
}
