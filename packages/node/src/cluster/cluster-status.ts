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
  const places = placesOf(partitions);
  const served: { partition: number; epoch: number }[] = [];
  partitions.forEach(({ epoch }, partition) => {
    if (source.serves(partition)) served.push({ partition, epoch });
  });
  return {
    nodeId: self.id,
    incarnation: self.incarnation,
    cluster,
    viewVersion: version,
    members: members.map((member) => memberStatus(member, source, places.get(member.id) ?? NO_PLACES)),
    partitions: summary(partitions, plan, view?.config.copies ?? 2),
    served,
  };
}

interface Places {
  owned: number;
  succeeded: number;
  learned: number;
}

const NO_PLACES: Readonly<Places> = { owned: 0, succeeded: 0, learned: 0 };

function placesOf(partitions: readonly PartitionPlacement[]): ReadonlyMap<string, Places> {
  const all = new Map<string, Places>();
  const of = (id: string): Places => {
    const places = all.get(id) ?? { ...NO_PLACES };
    all.set(id, places);
    return places;
  };
  for (const { owner, successor, learner } of partitions) {
    of(owner).owned++;
    of(successor).succeeded++;
    of(learner).learned++;
  }
  return all;
}

function memberStatus(
  { id, address, incarnation, zone, weight, draining }: ViewMember,
  { self, silentMs }: StatusSource,
  places: Readonly<Places>,
): MemberStatus {
  const silence = id === self.id ? 0 : Math.round(silentMs(id));
  return { id, address, incarnation, zone, weight, draining, silentMs: silence, ...places };
}

function summary(
  partitions: readonly PartitionPlacement[],
  plan: readonly PlannedPlace[],
  copies: number,
): PartitionSummary {
  let [replicated, moving, waiting, misplaced, lost, lostPartitions] = [0, 0, 0, 0, 0, 0];
  partitions.forEach((placement, partition) => {
    const { owner, successor } = placement;
    const planned = plan[partition];
    if (successor !== '') replicated++;
    if (placement.learner !== '') moving++;
    if (placement.wait !== 0) waiting++;
    const isPlaced = planned?.owner === owner && (copies === 1 || planned.successor === successor);
    if (planned !== undefined && !isPlaced) misplaced++;
    if (placement.lost > 0) lostPartitions++;
    lost += placement.lost;
  });
  const underReplicated = copies === 1 ? 0 : partitions.length - replicated;
  return { replicated, underReplicated, moving, waiting, misplaced, lost, lostPartitions };
}
