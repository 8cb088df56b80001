import type { TagHashes } from '@larder/loader';
import { Acknowledgement, LarderError, type SessionRequestReader } from '@larder/proto';
import type { NodeCache } from '../caches.js';
import { InvalidationRun, PARTITION_SET_BYTES } from '../partitions/invalidation-run.js';
import type { ServerContext } from './server-context.js';
import type { SessionReply } from './session-replies.js';

/** INVALIDATE of a session. The partition of its key, by which it was sent here, is served by this node. */
export function invalidate(
  { partitions, invalidations }: ServerContext,
  cache: NodeCache,
  partition: number,
  reader: SessionRequestReader,
  tags: TagHashes | undefined,
  reply: SessionReply,
): void {
  const { bytes, valueStart, valueEnd, hasValue } = reader;
  const refusal = partitions.writeRefusal(partition) ?? checkPartitions(hasValue, valueEnd - valueStart);
  if (refusal !== undefined) {
    reply.failed(refusal);
    return;
  }
  const wanted = hasValue ? Uint8Array.prototype.slice.call(bytes, valueStart, valueEnd) : undefined;
  const ownerOnly = reader.ack === Acknowledgement.owner;
  const later = reply.later();
  const ended = (count: number, done: Uint8Array): void => later.invalidated(count, done);
  if (InvalidationRun.start(invalidations, partitions, cache, tags, wanted, ownerOnly, ended)) return;
  later.failed(new LarderError('BUSY', 'too many invalidations are under way', { outcome: 'not-applied' }));
}

function checkPartitions(hasValue: boolean, valueBytes: number): LarderError | undefined {
  if (!hasValue || valueBytes === PARTITION_SET_BYTES) return undefined;
  const message = `the partitions of an invalidation have ${valueBytes} bytes; allowed are ${PARTITION_SET_BYTES}`;
  return new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}
