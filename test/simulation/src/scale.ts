import { encodeView, planPlacements, type ViewDocument } from '@larder/node/internal';
import { SCALE_PARTITIONS, ScaleCluster } from './scale-cluster.js';

/**
 * What the size of a cluster changes: npm run simulate -- --scale [NODES ...]. Times with a clock are simulated; those
 * called `cpu` are of this machine, and of its one thread that plays all the nodes.
 */
export const SCALE_SIZES = [3, 5, 10, 50, 100, 200];

export interface ScaleRow {
  readonly nodes: number;
  readonly viewBytes: number;
  /** Streams that each node keeps open, its own and those of the others. */
  readonly streamsPerNode: number;
  /** Heartbeats and grants that each node sends in a second. */
  readonly messagesPerNodeSecond: number;
  /** CPU of a second at rest, per node, the simulator's own share included. */
  readonly restCpuMsPerNodeSecond: number;
  /** All successors are filled at once, without entries: what the views alone take. */
  readonly spreadSeconds: number;
  readonly spreadViews: number;
  /** A node joins: until all is where it should be, the copies that were filled beside its share, and the views. */
  readonly joinSeconds: number;
  readonly joinMovedOfIdeal: number;
  readonly joinViews: number;
  /** Killed nodes: until their partitions were served again; and until all had two copies again. */
  readonly failoverMs: { readonly p50: number; readonly max: number };
  readonly replicatedAgainSeconds: number;
  /** Most partitions of a node beside the mean. */
  readonly heaviestOwner: number;
  readonly heaviestCopies: number;
  /** CPU of a plan: when a node has joined, and when nothing has to move. */
  readonly planJoinCpuMs: number;
  readonly planSettledCpuMs: number;
}

const FAILOVERS = 3;
const REST_MS = 3_000;
const SETTLED_WITHIN_MS = 300_000;

export function runScale(nodes: number): ScaleRow {
  const cluster = new ScaleCluster(nodes);
  cluster.until(() => cluster.served, SETTLED_WITHIN_MS, 50);
  const spreadMs = cluster.until(() => cluster.settled, SETTLED_WITHIN_MS, 50);
  const spreadViews = cluster.view.version;
  const heaviest = heaviestOf(cluster.view);
  const viewBytes = encodeView(cluster.view).length;
  const rest = measureRest(cluster);
  const join = measureJoin(cluster);
  return {
    nodes,
    viewBytes,
    streamsPerNode: 2 * (nodes - 1),
    ...rest,
    spreadSeconds: round(spreadMs / 1_000, 1),
    spreadViews,
    ...join,
    ...measureFailovers(cluster),
    ...heaviest,
  };
}

function measureRest(cluster: ScaleCluster): Pick<ScaleRow, 'messagesPerNodeSecond' | 'restCpuMsPerNodeSecond'> {
  const { world, nodes, sent } = cluster;
  world.runUntil(world.now + 1_000);
  sent.clear();
  const cpuMs = cpuOf(() => world.runUntil(world.now + REST_MS));
  const messages = (sent.get('heartbeat') ?? 0) + (sent.get('grant') ?? 0);
  const nodeSeconds = (nodes.size * REST_MS) / 1_000;
  return {
    messagesPerNodeSecond: round(messages / nodeSeconds, 0),
    restCpuMsPerNodeSecond: round(cpuMs / nodeSeconds, 2),
  };
}

function measureJoin(
  cluster: ScaleCluster,
): Pick<ScaleRow, 'joinSeconds' | 'joinMovedOfIdeal' | 'joinViews' | 'planJoinCpuMs' | 'planSettledCpuMs'> {
  const { view } = cluster;
  cluster.created = 0;
  cluster.start('late');
  const joinMs = cluster.until(() => cluster.view.members.some(({ id }) => id === 'late'), SETTLED_WITHIN_MS);
  const joined = cluster.view;
  const planJoinCpuMs = median(() => planPlacements(joined));
  const settleMs = cluster.until(() => cluster.settled, SETTLED_WITHIN_MS, 50);
  const ideal = (2 * SCALE_PARTITIONS) / joined.members.length;
  return {
    joinSeconds: round((joinMs + settleMs) / 1_000, 1),
    joinMovedOfIdeal: round(cluster.created / ideal, 2),
    joinViews: cluster.view.version - view.version,
    planJoinCpuMs,
    planSettledCpuMs: median(() => planPlacements(cluster.view)),
  };
}

/** One after another, with time to recover. */
function measureFailovers(cluster: ScaleCluster): Pick<ScaleRow, 'failoverMs' | 'replicatedAgainSeconds'> {
  const failovers: number[] = [];
  let replicatedAgainMs = 0;
  for (let failover = 0; failover < FAILOVERS && cluster.nodes.size > 2; failover++) {
    cluster.kill(`node${failover}`);
    const servedMs = cluster.until(() => cluster.served, SETTLED_WITHIN_MS, 5);
    failovers.push(servedMs);
    const settledMs = cluster.until(() => cluster.settled, SETTLED_WITHIN_MS, 50);
    replicatedAgainMs = Math.max(replicatedAgainMs, servedMs + settledMs);
  }
  failovers.sort((a, b) => a - b);
  return {
    failoverMs: { p50: round(failovers[failovers.length >> 1]!, 0), max: round(failovers.at(-1)!, 0) },
    replicatedAgainSeconds: round(replicatedAgainMs / 1_000, 1),
  };
}

function heaviestOf({ partitions, members }: ViewDocument): Pick<ScaleRow, 'heaviestOwner' | 'heaviestCopies'> {
  const mean = partitions.length / members.length;
  const most = (held: (id: string) => number): number => Math.max(...members.map(({ id }) => held(id)));
  const owned = most((id) => partitions.filter(({ owner }) => owner === id).length);
  const copies = most((id) => partitions.filter(({ owner, successor }) => owner === id || successor === id).length);
  return { heaviestOwner: round(owned / mean, 3), heaviestCopies: round(copies / (2 * mean), 3) };
}

function median(run: () => void): number {
  const times = Array.from({ length: 9 }, () => cpuOf(run)).sort((a, b) => a - b);
  return round(times[4]!, 2);
}

function cpuOf(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
