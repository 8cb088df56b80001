import { type RequestId, RequestResult } from '@larder/loader';
import { LarderError } from '@larder/proto';
import type { NodeCache } from '../caches.js';
import type { CommittedReply } from './committed-reply.js';
import type { OwnedPartitions } from './owned-partitions.js';

/** How a client numbers its writes, as it came with one of them. */
export interface NumberedWrite {
  /** 0, as `request`: it is not numbered, and never sent again. */
  readonly clientId: number;
  readonly request: number;
  readonly settledBelow: number;
  readonly isRetry: boolean;
  readonly lost: number;
}

/**
 * Whether a write to a partition that this node serves is to be carried out now. False: it was answered, because it
 * cannot be taken, or because it has come before. The cache's memory knows the request from then on.
 */
export function admitWrite(
  partitions: OwnedPartitions,
  cache: NodeCache,
  partition: number,
  write: NumberedWrite,
  isSet: boolean,
  reply: CommittedReply,
): boolean {
  const { clientId, request, settledBelow } = write;
  if (clientId > NUMBER_MAX || request > NUMBER_MAX || settledBelow > NUMBER_MAX) {
    reply.failed(numberTooLarge(write));
    return false;
  }
  const id = clientId === 0 || request === 0 ? undefined : { client: clientId, number: request, settledBelow };
  if (id !== undefined && hasCome(partitions, cache, partition, id, write, isSet, reply)) return false;
  const refusal = partitions.writeRefusal(partition);
  if (refusal !== undefined) {
    reply.failed(refusal);
    return false;
  }
  cache.memory.request = id;
  return true;
}

/** What nodes can tell each other. */
const NUMBER_MAX = Number.MAX_SAFE_INTEGER;

function numberTooLarge({ clientId, request, settledBelow }: NumberedWrite): LarderError {
  const given = `client_id ${clientId}, request ${request}, settled_below ${settledBelow}`;
  return new LarderError('BAD_ARGUMENT', `${given}; allowed are 0 to 2^53 - 1`, { outcome: 'not-applied' });
}

function hasCome(
  partitions: OwnedPartitions,
  cache: NodeCache,
  partition: number,
  id: RequestId,
  { isRetry, lost }: NumberedWrite,
  isSet: boolean,
  reply: CommittedReply,
): boolean {
  const before = partitions.applied(partition, id, isRetry, lost);
  // What waits for an earlier write of its key is in no log yet.
  if (before === undefined) return isRetry && cache.loader.join(id, reply);
  if (before instanceof LarderError) reply.failed(before);
  else if (before.result !== RequestResult.begun) reply.again(before, isSet);
  else if (!cache.loader.join(id, reply)) reply.failed(partitions.begunError());
  return true;
}
