import type { Clock, Random } from '@larder/base';
import {
  LarderError,
  OperationKind,
  PARTITION_COUNT,
  type SessionResponseReader,
  TTL_DEFAULT,
  toLarderError,
} from '@larder/proto';
import type { AnswerReader, CacheHandle } from './connection/call.js';
import type { Dispatcher } from './dispatcher.js';
import { keyOfPartition } from './routing/partition-keys.js';

/**
 * Invalidates on all nodes: each owner is asked for all partitions that are left, and answers in which of them it is done.
 * What has changed hands meanwhile is left for the next round, until nothing is left or the time is over. A round goes by
 * the dispatcher as any other call does, under a key of one of the partitions, so that it is sent again to the new owner if the
 * one before is gone. It may be done twice, which forgets what was stored in between as well.
 */
export interface InvalidationOptions {
  /** Undefined: everything. */
  readonly tags: readonly string[] | undefined;
  readonly timeoutMs: number;
  readonly ack: number;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** Before a partition is asked for again that its owner has just lost. */
const PAUSE_MS = 10;
/** With these nothing has been done by the call that failed. */
const HARMLESS: readonly string[] = ['BAD_ARGUMENT', 'UNKNOWN_CACHE', 'INCOMPATIBLE', 'CLOSED', 'BUSY'];

/** In how many partitions there may have been something to forget. */
export async function invalidateEverywhere(
  dispatcher: Dispatcher,
  cache: CacheHandle,
  options: InvalidationOptions,
): Promise<number> {
  const { clock, timeoutMs } = options;
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  const left = new PartitionsLeft();
  let count = 0;
  try {
    while (left.size > 0) {
      const before = left.size;
      const leftMs = Math.max(1, Math.ceil(deadlineMs - clock.monotonicMs()));
      const calls = left.firstByOwner(dispatcher.router.view.owners).map((partition) => {
        const answer = new InvalidatedAnswer(left);
        return askOwner(dispatcher, cache, partition, left.bits, leftMs, answer, options);
      });
      count += await sumOf(calls);
      if (left.size === before) await pause(options);
    }
    return count;
  } catch (error) {
    throw failedError(cache, left.size, toLarderError(error));
  }
}

function askOwner(
  dispatcher: Dispatcher,
  cache: CacheHandle,
  partition: number,
  bits: Uint8Array,
  timeoutMs: number,
  answer: AnswerReader<number>,
  { tags, ack, signal }: InvalidationOptions,
): Promise<number> {
  const key = keyOfPartition(partition);
  const extras = tags && { tags };
  const kind = OperationKind.invalidate;
  return dispatcher.call(cache, kind, key, Uint8Array.from(bits), TTL_DEFAULT, timeoutMs, answer, ack, signal, extras);
}

/** Waits for all, since what was sent may be carried out whatever became of the others. Of errors it throws the worst. */
async function sumOf(calls: readonly Promise<number>[]): Promise<number> {
  let sum = 0;
  let worst: LarderError | undefined;
  for (const result of await Promise.allSettled(calls)) {
    if (result.status === 'fulfilled') sum += result.value;
    else if (worst === undefined || isHarmless(worst)) worst = toLarderError(result.reason);
  }
  if (worst !== undefined) throw worst;
  return sum;
}

function isHarmless({ code, outcome }: LarderError): boolean {
  return outcome === 'not-applied' || HARMLESS.includes(code);
}

function pause({ clock, random }: InvalidationOptions): Promise<void> {
  const pauseMs = PAUSE_MS * (1 + random.next());
  return new Promise((resolve) => clock.after(pauseMs, resolve).hold());
}

function failedError(cache: CacheHandle, left: number, error: LarderError): LarderError {
  const isUntouched = left === PARTITION_COUNT && isHarmless(error);
  const { code, reason, node, details } = error;
  const done = PARTITION_COUNT - left;
  const message = `cache ${cache.name} was invalidated in ${done} of ${PARTITION_COUNT} partitions for certain: ${reason}`;
  const outcome = isUntouched ? 'not-applied' : 'unknown';
  return new LarderError(code, isUntouched ? reason : message, { outcome, node, details, cause: error });
}

/** The partitions in which it is not done yet, as they travel. */
class PartitionsLeft {
  readonly bits = new Uint8Array(PARTITION_COUNT / 8).fill(0xff);
  size = PARTITION_COUNT;

  /** One of each owner's. */
  firstByOwner(owners: ArrayLike<number>): number[] {
    const first = new Map<number, number>();
    for (let partition = 0; partition < PARTITION_COUNT; partition++) {
      const owner = owners[partition]!;
      if (this.#has(partition) && !first.has(owner)) first.set(owner, partition);
    }
    return [...first.values()];
  }

  remove(done: Uint8Array): void {
    for (let partition = 0; partition < PARTITION_COUNT; partition++) {
      const bit = 1 << (partition & 7);
      if (!this.#has(partition) || (done[partition >>> 3]! & bit) === 0) continue;
      this.bits[partition >>> 3]! &= ~bit;
      this.size--;
    }
  }

  #has(partition: number): boolean {
    return (this.bits[partition >>> 3]! & (1 << (partition & 7))) !== 0;
  }
}

class InvalidatedAnswer implements AnswerReader<number> {
  constructor(readonly left: PartitionsLeft) {}

  read(reply: SessionResponseReader): number {
    this.left.remove(reply.bytes.subarray(reply.valueStart, reply.valueEnd));
    return reply.invalidated;
  }
}
