import { LarderError } from '@larder/proto';
import { type ClusterTimers, checkTimers } from './timers.js';

/**
 * The view: the one value that says which nodes are up and who holds each partition. It is kept in the view store, is
 * replaced as a whole by compare-and-set, and whatever it says is so. Nothing here is ever changed in place: a
 * ViewDraft makes the next one.
 */
export interface ViewDocument {
  /** 128 random bits in hex, drawn when the cluster was founded. */
  readonly cluster: string;
  /** Grows by 1 with each change. */
  readonly version: number;
  /** Drawn for each proposal, so that a writer recognizes its own. 64 bits in hex. */
  readonly by: string;
  /** The first epoch of this cluster; above any that the database has seen. */
  readonly baseEpoch: number;
  readonly nextCopy: number;
  readonly config: ClusterConfig;
  /** In the order of their ids. */
  readonly members: readonly ViewMember[];
  readonly partitions: readonly PartitionPlacement[];
}

export interface ClusterConfig {
  /** 2: owner and successor. 1: nothing is replicated. */
  readonly copies: 1 | 2;
  /** 2: a partition with one copy only takes no writes. */
  readonly copiesMin: 1 | 2;
  readonly timers: ClusterTimers;
}

export interface ViewMember {
  readonly id: string;
  /** One start of a process: 128 random bits in hex. */
  readonly incarnation: string;
  readonly address: string;
  /** Successors are put in another zone where there is one. */
  readonly zone: string;
  readonly pool: string;
  readonly weight: number;
  readonly draining: boolean;
}

/** How the owner came by its copy. `placed`: it began in this or the last epoch with nothing, and may not know it yet. */
export type CopyOrigin = 'fresh' | 'promoted' | 'handed-over' | 'placed';
export const COPY_ORIGINS: readonly CopyOrigin[] = ['fresh', 'promoted', 'handed-over', 'placed'];

/** What a new owner must wait for. 0: nothing. 1: grace after its last grant to the owner before. 2: grace after installing. 3: view grace after installing. */
export type Wait = 0 | 1 | 2 | 3;

/** Names of nodes are '' where there is none, and then the copy is 0. */
export interface PartitionPlacement {
  /** Grows by 1 whenever owner or successor changes. */
  readonly epoch: number;
  readonly owner: string;
  readonly ownerCopy: number;
  readonly successor: string;
  readonly successorCopy: number;
  readonly learner: string;
  readonly learnerCopy: number;
  readonly origin: CopyOrigin;
  readonly wait: Wait;
  /** How often the partition's entries were lost. */
  readonly lost: number;
}

/** An entry's record has 22 bits for the epoch. */
export const EPOCH_MAX = 2 ** 22 - 1;
export const COPY_MAX = 2 ** 32 - 1;
export const MEMBERS_MAX = 1_024;
export const PARTITIONS_MAX = 1_024;
export const WEIGHT_MAX = 1_000;
export const MEMBER_ID_BYTES_MAX = 128;

export function memberOf(view: ViewDocument, id: string): ViewMember | undefined {
  return view.members.find((member) => member.id === id);
}

export function isSamePlacement(one: PartitionPlacement, other: PartitionPlacement): boolean {
  return (
    one.epoch === other.epoch &&
    one.owner === other.owner &&
    one.ownerCopy === other.ownerCopy &&
    one.successor === other.successor &&
    one.successorCopy === other.successorCopy &&
    one.learner === other.learner &&
    one.learnerCopy === other.learnerCopy &&
    one.origin === other.origin &&
    one.wait === other.wait &&
    one.lost === other.lost
  );
}

/** Throws BAD_ARGUMENT, saying what is wrong. Every view passes here, wherever it comes from. */
export function checkView(view: ViewDocument): void {
  checkTimers(view.config.timers);
  require(view.config.copiesMin <= view.config.copies, `copiesMin ${view.config.copiesMin} above copies`);
  require(view.version >= 1 && view.baseEpoch >= 1 && view.nextCopy >= 1, 'a version, epoch or copy below 1');
  require(view.partitions.length >= 1 && view.partitions.length <= PARTITIONS_MAX, 'the count of partitions');
  require(view.members.length >= 1 && view.members.length <= MEMBERS_MAX, 'the count of members');
  const ids = new Set<string>();
  for (const member of view.members) {
    require(member.id.length > 0 && !ids.has(member.id), `member '${member.id}' empty or listed twice`);
    require(member.weight >= 1 && member.weight <= WEIGHT_MAX, `weight ${member.weight} of member ${member.id}`);
    ids.add(member.id);
  }
  const copies = new Set<number>();
  view.partitions.forEach((placement, partition) => {
    checkPlacement(placement, partition, view, ids, copies);
  });
}

/** For 1,024 partitions of each view: a fault is put into words only when there is one. */
function checkPlacement(
  placement: PartitionPlacement,
  partition: number,
  view: ViewDocument,
  ids: ReadonlySet<string>,
  copies: Set<number>,
): void {
  const { epoch, owner, successor, learner } = placement;
  if (epoch < view.baseEpoch || epoch > EPOCH_MAX) throw notAView(`epoch ${epoch} of partition ${partition}`);
  if (owner === '') throw notAView(`no owner of partition ${partition}`);
  if (owner === successor || owner === learner) throw notAView(`partition ${partition} twice on ${owner}`);
  if (successor !== '' && successor === learner) throw notAView(`partition ${partition} twice on ${successor}`);
  checkCopy(owner, placement.ownerCopy, partition, view, ids, copies);
  checkCopy(successor, placement.successorCopy, partition, view, ids, copies);
  checkCopy(learner, placement.learnerCopy, partition, view, ids, copies);
}

function checkCopy(
  id: string,
  copy: number,
  partition: number,
  view: ViewDocument,
  ids: ReadonlySet<string>,
  copies: Set<number>,
): void {
  if (id === '' ? copy !== 0 : !ids.has(id)) throw notAView(`copy ${copy} of partition ${partition} on '${id}'`);
  if (id === '') return;
  if (!(copy >= 1 && copy < view.nextCopy) || copies.has(copy)) {
    throw notAView(`copy id ${copy} of partition ${partition}`);
  }
  copies.add(copy);
}

function require(holds: boolean, fault: string): void {
  if (!holds) throw notAView(fault);
}

function notAView(fault: string): LarderError {
  return new LarderError('BAD_ARGUMENT', `not a view of a cluster: ${fault}`);
}
