import { systemClock } from '@larder/base';
import { LarderError, toLarderError } from '@larder/proto';
import type { ClusterStatus } from '../cluster/cluster-status.js';
import { ExitCode, startFault } from '../exit-code.js';
import { AdminClient } from '../link/admin-client.js';

/** Asking one node, or all that it says are in its cluster. */

const TIMEOUT_MS = 3_000;

/** What one node of the cluster answered; `error`: that it did not. */
export interface NodeAnswer<Answer> {
  readonly nodeId: string;
  readonly address: string;
  readonly answer: Answer | undefined;
  readonly error: LarderError | undefined;
}

/** Throws the node's error, or UNAVAILABLE if none answers, with its exit code. */
export async function askNode<Answer extends object>(
  address: string,
  method: string,
  request: object,
): Promise<Answer> {
  const client = new AdminClient(address, systemClock, TIMEOUT_MS);
  try {
    return await client.call<Answer>(method, request);
  } catch (error) {
    throw error instanceof LarderError ? startFault(exitCode(error), error.code, error.reason, error) : error;
  } finally {
    client.close();
  }
}

export function askStatus(address: string): Promise<ClusterStatus> {
  return askNode(address, 'GetClusterStatus', {});
}

/** All members of the view at once, in its order. */
export function askMembers<Answer extends object>(
  { members }: ClusterStatus,
  method: string,
  request: object,
): Promise<NodeAnswer<Answer>[]> {
  return Promise.all(
    members.map(async ({ id: nodeId, address }) => {
      try {
        return { nodeId, address, answer: await askNode<Answer>(address, method, request), error: undefined };
      } catch (error) {
        return { nodeId, address, answer: undefined, error: toLarderError(error) };
      }
    }),
  );
}

function exitCode({ code }: LarderError): ExitCode {
  return code === 'BAD_ARGUMENT' || code === 'UNKNOWN_CACHE' ? ExitCode.usage : ExitCode.databaseUnavailable;
}
