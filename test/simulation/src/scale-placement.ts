import { LAN_TIMERS, type PartitionPlacement, planPlacements, type ViewMember } from '@larder/node/internal';
import { SCALE_PARTITIONS } from './scale-cluster.js';

/** What the plan alone says about a cluster that has grown node by node, each plan come true before the next node came. */
export interface PlacementRow {
  readonly study: 'placement';
  readonly nodes: number;
  /** Most partitions of a node beside the mean. */
  readonly heaviestOwner: number;
  readonly heaviestCopies: number;
  /** Copies that had to be filled when the last node came, beside its share; and owners that changed, likewise. */
  readonly joinMovedOfIdeal: number;
  readonly joinOwnersOfIdeal: number;
  /** CPU of a plan: when that node had just come, and when nothing has to move. */
  readonly planJoinCpuMs: number;
  readonly planSettledCpuMs: number;
}

const CONFIG = { copies: 2, copiesMin: 1, timers: LAN_TIMERS } as const;
const FIRST: PartitionPlacement = {
  epoch: 1,
  owner: 'node0',
  ownerCopy: 1,
  successor: '',
  successorCopy: 0,
  learner: '',
  learnerCopy: 0,
  origin: 'fresh',
  wait: 0,
  lost: 0,
};

export function* placementStudy(sizes: readonly number[]): Generator<PlacementRow> {
  const members = [memberOf(0)];
  let partitions = Array.from({ length: SCALE_PARTITIONS }, () => FIRST);
  for (let nodes = 2; nodes <= Math.max(...sizes); nodes++) {
    members.push(memberOf(nodes - 1));
    const before = partitions;
    const plan = planPlacements({ members, partitions, config: CONFIG });
    partitions = before.map((placement, partition) => ({ ...placement, ...plan[partition]! }));
    if (!sizes.includes(nodes)) continue;
    const view = { members, partitions, config: CONFIG };
    yield {
      study: 'placement',
      nodes,
      ...heaviestOf(view),
      ...movedOfIdeal(before, partitions, nodes),
      planJoinCpuMs: medianCpuMs(() => planPlacements({ ...view, partitions: before })),
      planSettledCpuMs: medianCpuMs(() => planPlacements(view)),
    };
  }
}

function memberOf(index: number): ViewMember {
  return { id: `node${index}`, incarnation: '', address: '', zone: '', pool: '', weight: 1, draining: false };
}

function heaviestOf({
  members,
  partitions,
}: {
  members: readonly ViewMember[];
  partitions: readonly PartitionPlacement[];
}): Pick<PlacementRow, 'heaviestOwner' | 'heaviestCopies'> {
  const mean = partitions.length / members.length;
  const most = (held: (id: string) => number): number => Math.max(...members.map(({ id }) => held(id)));
  const owned = most((id) => partitions.filter(({ owner }) => owner === id).length);
  const copies = most((id) => partitions.filter(({ owner, successor }) => owner === id || successor === id).length);
  return { heaviestOwner: round(owned / mean), heaviestCopies: round(copies / (2 * mean)) };
}

function movedOfIdeal(
  before: readonly PartitionPlacement[],
  after: readonly PartitionPlacement[],
  nodes: number,
): Pick<PlacementRow, 'joinMovedOfIdeal' | 'joinOwnersOfIdeal'> {
  let copies = 0;
  let owners = 0;
  after.forEach(({ owner, successor }, partition) => {
    const held = [before[partition]!.owner, before[partition]!.successor];
    copies += [owner, successor].filter((id) => !held.includes(id)).length;
    if (owner !== held[0]) owners++;
  });
  const ideal = SCALE_PARTITIONS / nodes;
  return { joinMovedOfIdeal: round(copies / (2 * ideal)), joinOwnersOfIdeal: round(owners / ideal) };
}

const RUNS = 9;

function medianCpuMs(run: () => void): number {
  const times = Array.from({ length: RUNS }, () => {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return round(times.sort((a, b) => a - b)[RUNS >> 1]!);
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
