import { systemClock } from '@larder/base';
import { LarderError } from '@larder/proto';
import { parseArgs } from 'citty';
import type { ClusterStatus, MemberStatus } from './cluster/cluster-status.js';
import { parseAddress } from './config/address.js';
import { ExitCode, startFault } from './exit-code.js';
import { askStatus } from './link/ask-status.js';

/** `larder-node status`: what one node says of its cluster, as a table or as JSON. */
export const statusFlags = {
  connect: { type: 'string', description: 'Any node of the cluster', valueHint: 'HOST:PORT' },
  json: { type: 'boolean', description: 'One JSON object instead of a table' },
} as const;

const TIMEOUT_MS = 3_000;

/** Throws BAD_ARGUMENT or UNAVAILABLE with the exit code. */
export async function statusCommand(args: readonly string[], print: (text: string) => void): Promise<void> {
  const unknown = args.find((argument) => argument.startsWith('-') && !/^--(connect(=.*)?|json)$/.test(argument));
  if (unknown !== undefined) throw usage(`unknown argument ${unknown}. Allowed are --connect and --json`);
  const given = parseArgs(args.map(String), statusFlags);
  const address = String(given.connect ?? '');
  if (parseAddress(address) === undefined) {
    throw usage(`--connect is ${JSON.stringify(address)}; give HOST:PORT of a node, for example 127.0.0.1:7400`);
  }
  const status = await ask(address);
  print(given.json === true ? JSON.stringify(status) : statusText(status));
}

async function ask(address: string): Promise<ClusterStatus> {
  try {
    return await askStatus(address, systemClock.wallMs(), TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof LarderError)) throw error;
    throw startFault(ExitCode.databaseUnavailable, 'UNAVAILABLE', error.reason, error);
  }
}

export function statusText(status: ClusterStatus): string {
  const { nodeId, cluster, viewVersion, members, partitions, served } = status;
  if (cluster === '') return `node ${nodeId} has not joined a cluster yet`;
  const { replicated, underReplicated, moving, waiting, misplaced, lost, lostPartitions } = partitions;
  const lines = [
    `cluster ${cluster}, view ${viewVersion}, as node ${nodeId} sees it`,
    '',
    ...tableOf(members),
    '',
    `partitions        ${partitionCount(members)}: ${replicated} replicated, ${underReplicated} under-replicated, ${waiting} waiting`,
    `moves             ${moving} in progress, ${misplaced} not yet where the plan has them`,
    `lost              ${lost} times in all, ${lostPartitions} partitions`,
    `served by ${nodeId}`.padEnd(18) + String(served.length),
  ];
  return lines.join('\n');
}

function partitionCount(members: readonly MemberStatus[]): number {
  return members.reduce((sum, { owned }) => sum + owned, 0);
}

function tableOf(members: readonly MemberStatus[]): string[] {
  const rows = [
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
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

function usage(message: string): Error {
  return startFault(ExitCode.usage, 'BAD_ARGUMENT', `${message}. See larder-node --help`);
}
