import { encodeView } from '@larder/node/internal';
import { ScaleCluster } from './scale-cluster.js';
import { placementStudy } from './scale-placement.js';

/**
 * What the number of nodes changes: npm run simulate -- --scale [NODES ...]. First what the plan alone says, then what
 * simulated clusters do. Times with a clock are simulated; those called `cpu` are of this machine, and of its one thread
 * that plays all the nodes: 100 nodes take minutes.
 */
export interface ClusterRow {
  readonly study: 'cluster';
  readonly nodes: number;
  readonly viewBytes: number;
  /** Streams that each node keeps open, its own and those of the others. */
  readonly streamsPerNode: number;
  /** Heartbeats and grants that each node sends in a second. */
  readonly messagesPerNodeSecond: number;
  /** CPU of a second at rest, per node, the simulator's own share included. */
  readonly restCpuMsPerNodeSecond: number;
  /** A node joins: until all is where it should be, without entries; the copies that it filled; and the views. */
  readonly joinSeconds: number;
  readonly joinCopies: number;
  readonly joinViews: number;
  /** Killed nodes: until their partitions were served again, and until all had two copies again. */
  readonly failoverMs: readonly number[];
  readonly replicatedAgainSeconds: number;
}

const PLACEMENT_SIZES = [2, 3, 4, 5, 10, 11, 50, 51, 100, 101, 200];
const CLUSTER_SIZES = [10, 50, 100];
const FAILOVERS = 3;
const REST_MS = 3_000;
const SETTLED_WITHIN_MS = 300_000;

export function runScale(sizes: readonly number[], print: (row: object) => void): void {
  for (const row of placementStudy(sizes.length > 0 ? sizes : PLACEMENT_SIZES)) print(row);
  for (const nodes of sizes.length > 0 ? sizes : CLUSTER_SIZES) print(clusterRow(nodes));
}

function clusterRow(nodes: number): ClusterRow {
  const cluster = new ScaleCluster(nodes);
  cluster.until(() => cluster.served && cluster.settled, SETTLED_WITHIN_MS, 50);
  const viewBytes = encodeView(cluster.view).length;
  const streamsPerNode = 2 * (nodes - 1);
  const rest = measureRest(cluster);
  const join = measureJoin(cluster);
  return { study: 'cluster', nodes, viewBytes, streamsPerNode, ...rest, ...join, ...measureFailovers(cluster) };
}

function measureRest(cluster: ScaleCluster): Pick<ClusterRow, 'messagesPerNodeSecond' | 'restCpuMsPerNodeSecond'> {
  const { world, nodes, sent } = cluster;
  world.runUntil(world.now + 1_000);
  sent.clear();
  const before = process.cpuUsage();
  world.runUntil(world.now + REST_MS);
  const { user, system } = process.cpuUsage(before);
  const messages = (sent.get('heartbeat') ?? 0) + (sent.get('grant') ?? 0);
  const nodeSeconds = (nodes.size * REST_MS) / 1_000;
  return {
    messagesPerNodeSecond: round(messages / nodeSeconds, 0),
    restCpuMsPerNodeSecond: round((user + system) / 1_000 / nodeSeconds, 2),
  };
}

function measureJoin(cluster: ScaleCluster): Pick<ClusterRow, 'joinSeconds' | 'joinCopies' | 'joinViews'> {
  const { version } = cluster.view;
  cluster.created = 0;
  cluster.start('late');
  const isIn = (): boolean => cluster.view.members.some(({ id }) => id === 'late');
  const joinMs = cluster.until(() => isIn() && cluster.settled, SETTLED_WITHIN_MS, 20);
  const joinViews = cluster.view.version - version;
  return { joinSeconds: round(joinMs / 1_000, 1), joinCopies: cluster.created, joinViews };
}

/** One after another, with time to recover. */
function measureFailovers(cluster: ScaleCluster): Pick<ClusterRow, 'failoverMs' | 'replicatedAgainSeconds'> {
  const failoverMs: number[] = [];
  let replicatedAgainMs = 0;
  for (let failover = 0; failover < FAILOVERS && cluster.nodes.size > 2; failover++) {
    cluster.kill(`node${failover}`);
    const servedMs = cluster.until(() => cluster.served, SETTLED_WITHIN_MS, 5);
    const replicatedMs = cluster.until(() => cluster.replicated, SETTLED_WITHIN_MS, 50);
    failoverMs.push(round(servedMs, 0));
    replicatedAgainMs = Math.max(replicatedAgainMs, servedMs + replicatedMs);
    cluster.until(() => cluster.settled, SETTLED_WITHIN_MS, 50);
  }
  return { failoverMs, replicatedAgainSeconds: round(replicatedAgainMs / 1_000, 1) };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
