import type { ClusterStatus, MemberStatus } from '../cluster/cluster-status.js';
import type { CacheStatistics, NodeStatistics } from '../server/cache-statistics.js';
import { askMembers, askStatus, type NodeAnswer } from './asked-nodes.js';
import { cacheLines } from './cache-lines.js';
import { clusterStatistics } from './cluster-statistics.js';
import { connectedArguments } from './connected-arguments.js';
import { bytesText, durationText, tableLines } from './figures.js';

/** `larder-node status`: the cluster as one node sees it, and what its nodes have counted. As text or as JSON. */

/** What `--json` prints, besides what GetClusterStatus says. */
export interface StatusReport extends ClusterStatus {
  /** Of each member: its statistics, or why there are none. */
  readonly nodes: readonly (NodeStatistics | { readonly nodeId: string; readonly error: string })[];
  /** Of each cache over all nodes that answered. */
  readonly caches: readonly CacheStatistics[];
}

/** Throws BAD_ARGUMENT or UNAVAILABLE with the exit code. */
export async function statusCommand(args: readonly string[], print: (text: string) => void): Promise<void> {
  const { address, isJson } = connectedArguments(args, 'nothing', 0, 0);
  const status = await askStatus(address);
  const answers = await askMembers<NodeStatistics>(status, 'GetStatistics', {});
  const caches = clusterStatistics(answers.flatMap(({ answer }) => answer ?? []));
  const nodes = answers.map(({ nodeId, answer, error }) => answer ?? { nodeId, error: String(error?.message) });
  const report: StatusReport = { ...status, nodes, caches };
  print(isJson ? JSON.stringify(report) : [statusText(status), ...statisticsText(answers, caches)].join('\n'));
}

export function statusText(status: ClusterStatus): string {
  const { nodeId, cluster, viewVersion, members, partitions, served } = status;
  if (cluster === '') return `node ${nodeId} has not joined a cluster yet`;
  const { replicated, underReplicated, moving, waiting, misplaced, lost, lostPartitions } = partitions;
  const lines = [
    `cluster ${cluster}, view ${viewVersion}, as node ${nodeId} sees it`,
    '',
    ...tableLines(memberRows(members)),
    '',
    `partitions        ${partitionCount(members)}: ${replicated} replicated, ${underReplicated} under-replicated, ${waiting} waiting`,
    `moves             ${moving} in progress, ${misplaced} not yet where the plan has them`,
    `lost              ${lost} times in all, ${lostPartitions} partitions`,
    `served by ${nodeId}`.padEnd(18) + String(served.length),
  ];
  return lines.join('\n');
}

function statisticsText(answers: readonly NodeAnswer<NodeStatistics>[], caches: readonly CacheStatistics[]): string[] {
  const nodes = answers.map(({ nodeId, address, answer }) => [
    nodeId,
    ...(answer === undefined
      ? [`does not answer at ${address}`, '', '']
      : [
          `up ${durationText(answer.uptimeMs)}`,
          `${bytesText(answer.memoryBytes)} of ${bytesText(answer.memoryBytesMax)}`,
          String(answer.sessions),
        ]),
  ]);
  const table = nodes.length === 0 ? [] : ['', ...tableLines([['node', 'process', 'memory', 'sessions'], ...nodes])];
  return [...table, ...caches.flatMap((cache) => ['', ...cacheLines(cache)])];
}

function partitionCount(members: readonly MemberStatus[]): number {
  return members.reduce((sum, { owned }) => sum + owned, 0);
}

function memberRows(members: readonly MemberStatus[]): string[][] {
  return [
    ['node', 'address', 'zone', 'weight', 'state', 'owner', 'successor', 'learner', 'heard'],
    ...members.map(({ id, address, zone, weight, draining, owned, succeeded, learned, silentMs }) => [
      id,
      address,
      zone || '-',
      String(weight),
      draining ? 'draining' : 'up',
      String(owned),
      String(succeeded),
      String(learned),
      silentMs === 0 ? 'now' : `${silentMs} ms ago`,
    ]),
  ];
}
