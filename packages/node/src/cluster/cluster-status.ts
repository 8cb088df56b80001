import type { PlannedPlace } from './placement-planner.js';
import type { PartitionPlacement, ViewDocument, ViewMember } from './view-document.js';

/** The cluster as one node sees it, as plain data for an operator: GetClusterStatusResponse of admin.proto, and more. */
export interface ClusterStatus {
  readonly nodeId: string;
  readonly incarnation: string;
  /** '' while the node belongs to none. */
  readonly cluster: string;
  readonly viewVersion: number;
  readonly members: readonly MemberStatus[];
  readonly partitions: PartitionSummary;
  /** The partitions that this node reads and writes at this moment. */
  readonly served: readonly { readonly partition: number; readonly epoch: number }[];
}

export interface MemberStatus {
  readonly id: string;
  readonly address: string;
  readonly incarnation: string;
  readonly zone: string;
  readonly weight: number;
  readonly draining: boolean;
  /** For how long this node has heard nothing of it; 0 for itself. */
  readonly silentMs: number;
  /** Partitions of which it is owner, successor and learner. */
  readonly owned: number;
  readonly succeeded: number;
  readonly learned: number;
}

/** Counts of the view's partitions. */
export interface PartitionSummary {
  /** Owner and successor are in step. */
  readonly replicated: number;
  readonly underReplicated: number;
  /** A new copy is being filled. */
  readonly moving: number;
  /** Their owner waits until the one before can serve no more. */
  readonly waiting: number;
  /** Not yet where the plan has them: what is still to be moved. */
  readonly misplaced: number;
  /** How often a partition had to begin anew, empty, in all; and how many partitions that has happened to. */
  readonly lost: number;
  readonly lostPartitions: number;
}

/** What a member tells of itself. */
export interface StatusSource {
  readonly self: ViewMember;
  readonly view: ViewDocument | undefined;
  readonly plan: readonly PlannedPlace[];
  silentMs(id: string): number;
  serves(partition: number): boolean;
}

export function clusterStatus(source: StatusSource): ClusterStatus {
  const { self, view, plan } = source;
  const { cluster = '', version = 0, partitions = [], members = [] } = view ?? {};
  const served = partitions.flatMap(({ epoch }, partition) => (source.serves(partition) ? [{ partition, epoch }] : []));
  return {
    nodeId: self.id,
    incarnation: self.incarnation,
    cluster,
    viewVersion: version,
    members: members.map((member) => memberStatus(member, source, partitions)),
    partitions: summary(partitions, plan, view?.config.copies ?? 2),
    served,
  };
}

function memberStatus(
  { id, address, incarnation, zone, weight, draining }: ViewMember,
  { self, silentMs }: StatusSource,
  partitions: readonly PartitionPlacement[],
): MemberStatus {
  let owned = 0;
  let succeeded = 0;
  let learned = 0;
  for (const { owner, successor, learner } of partitions) {
    if (owner === id) owned++;
    if (successor === id) succeeded++;
    if (learner === id) learned++;
  }
  const silence = id === self.id ? 0 : Math.round(silentMs(id));
  return { id, address, incarnation, zone, weight, draining, silentMs: silence, owned, succeeded, learned };
}

function summary(
  partitions: readonly PartitionPlacement[],
  plan: readonly PlannedPlace[],
  copies: number,
): PartitionSummary {
  const count = (is: (placement: PartitionPlacement, partition: number) => boolean): number =>
    partitions.filter(is).length;
  return {
    replicated: count(({ successor }) => successor !== ''),
    underReplicated: copies === 1 ? 0 : count(({ successor }) => successor === ''),
    moving: count(({ learner }) => learner !== ''),
    waiting: count(({ wait }) => wait !== 0),
    misplaced: count(({ owner, successor }, partition) => {
      const planned = plan[partition];
      return planned !== undefined && (planned.owner !== owner || (copies === 2 && planned.successor !== successor));
    }),
    lost: partitions.reduce((sum, { lost }) => sum + lost, 0),
    lostPartitions: count(({ lost }) => lost > 0),
  };
}
