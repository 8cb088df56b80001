import { LarderError } from '@larder/proto';
import { shownValue } from '../shown-value.js';
import type { Call } from './call.js';

/** How calls fail on the client's side. What a failed write left behind is the call's own knowledge. */

export function closedError(call: Call): LarderError {
  return new LarderError('CLOSED', 'the client was closed', { outcome: call.outcomeIfLost });
}

/**
 * The connection of the call broke, or there is none: UNAVAILABLE, unless the node would not have the session at all and
 * said why. BUSY promises that nothing was applied, so it is for calls that were never sent.
 */
export function lostError(call: Call, cause: LarderError, node: string): LarderError {
  const outcome = call.outcomeIfLost;
  const isRefusal = cause.code === 'INCOMPATIBLE' || (cause.code === 'BUSY' && outcome !== 'unknown');
  return new LarderError(isRefusal ? cause.code : 'UNAVAILABLE', cause.reason, { outcome, node, cause });
}

/** A write whose answer is lost is not sent again after this: nodes remember what they applied three times as long. */
export const RETRY_MS_MAX = 10_000;

export function timeoutError(call: Call, node: string, timeoutMs: number): LarderError {
  const what = call.carrier === undefined ? 'could not take the call' : 'did not answer';
  const waitedMs = call.mayBeApplied ? Math.min(timeoutMs, RETRY_MS_MAX) : timeoutMs;
  return new LarderError('TIMEOUT', `node ${node} ${what} within ${waitedMs} ms`, {
    outcome: call.outcomeIfGivenUp,
    node,
  });
}

export function abortedError(call: Call, reason: unknown): LarderError {
  return new LarderError('ABORTED', 'the call was aborted by its signal', {
    outcome: call.outcomeIfGivenUp,
    cause: reason,
  });
}

export function pendingBytesError(call: Call, node: string, bytesMax: number): LarderError {
  const message = `more than ${bytesMax} bytes of values are waiting for node ${node}`;
  return new LarderError('BUSY', message, { outcome: call.isWrite ? 'not-applied' : undefined, node });
}

/** The write was under way when the partition lost its copies, or for too long to be recognized if it were sent again. */
export function forgottenError(call: Call): LarderError {
  const message = `the answer to a write of key ${shownValue(call.key)} was lost, and nobody can tell any more whether it was applied`;
  return new LarderError('UNAVAILABLE', message, { outcome: 'unknown' });
}

/** The codec's own words are in the cause only: they may quote the value. */
export function decodeError(call: Call, thrown: unknown): LarderError {
  if (thrown instanceof LarderError) return thrown;
  const message = `the value of key ${shownValue(call.key)} in cache ${call.cache.name} cannot be decoded`;
  return new LarderError('CODEC', message, { node: call.node, cause: thrown });
}

/** What a node answered, with its name; `outcome` is for writes, and one that the node does not tell is unknown. */
export function nodeError(call: Call, error: LarderError, node: string): LarderError {
  const { code, reason, details } = error;
  const outcome = call.isWrite ? (error.outcome ?? 'unknown') : undefined;
  return new LarderError(code, reason, { outcome, node, details });
}
