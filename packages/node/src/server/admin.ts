import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Clock } from '@larder/base';
import { toLarderError } from '@larder/proto';
import type { NodeCache } from '../caches.js';
import type { ClusterStatus } from '../cluster/cluster-status.js';
import type { PartitionPlacement } from '../cluster/view-document.js';
import type { Storage } from '../storage/storage.js';
import { cacheStatistics } from './cache-statistics.js';
import {
  type DeadLettersRequest,
  discardDeadLetters,
  type ListDeadLettersRequest,
  listDeadLetters,
  retryDeadLetters,
} from './dead-letters.js';
import { Explain, type ExplainRequest } from './explain.js';
import { type ServerContext, toStatus } from './server-context.js';

/** What operators ask a node: AdminService of larder/v1/admin.proto. */
export interface AdminOptions {
  readonly status: () => ClusterStatus | undefined;
  readonly placement: (partition: number) => PartitionPlacement | undefined;
  readonly context: ServerContext;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly sessionCount: () => number;
}

/** Waiting time of a flush whose call has no deadline. */
const FLUSH_TIMEOUT_MS = 30_000;
/** Kept of a flush's deadline, so that the answer comes before it. A guess. */
const ANSWER_MS = 100;

export function adminHandlers(options: AdminOptions) {
  const { context, storage, clock, sessionCount, status } = options;
  const explain = new Explain(context, clock, options.placement);
  const startedMs = clock.monotonicMs();
  return {
    GetStatistics(_call: unknown, callback: sendUnaryData<object>): void {
      callback(null, {
        nodeId: context.selfId,
        uptimeMs: Math.floor(clock.monotonicMs() - startedMs),
        sessions: sessionCount(),
        memoryBytes: storage.memoryBytes,
        memoryBytesMax: storage.memoryBytesMax,
        caches: context.caches.all.map((cache) => cacheStatistics(cache, storage)),
      });
    },
    GetClusterStatus(_call: unknown, callback: sendUnaryData<object>): void {
      callback(null, status() ?? { nodeId: context.selfId });
    },
    Explain({ request }: ServerUnaryCall<ExplainRequest, object>, callback: sendUnaryData<object>): void {
      answerWith(explain.answer(request), callback);
    },
    ListDeadLetters(
      { request }: ServerUnaryCall<ListDeadLettersRequest, object>,
      callback: sendUnaryData<object>,
    ): void {
      answerWith(
        inPromise(() => listDeadLetters(context, request)),
        callback,
      );
    },
    RetryDeadLetters({ request }: ServerUnaryCall<DeadLettersRequest, object>, callback: sendUnaryData<object>): void {
      answerWith(
        inPromise(() => retryDeadLetters(context, request)),
        callback,
      );
    },
    DiscardDeadLetters(
      { request }: ServerUnaryCall<DeadLettersRequest, object>,
      callback: sendUnaryData<object>,
    ): void {
      answerWith(
        inPromise(() => discardDeadLetters(context, request)),
        callback,
      );
    },
    Flush(call: ServerUnaryCall<object, object>, callback: sendUnaryData<{ pendingWrites: number }>): void {
      const deadline = Number(call.getDeadline());
      const leftMs = deadline - clock.wallMs();
      const timeoutMs = Number.isFinite(leftMs) ? Math.max(leftMs / 2, leftMs - ANSWER_MS) : FLUSH_TIMEOUT_MS;
      answerWith(
        drainAll(context.caches.all, timeoutMs).then((pendingWrites) => ({ pendingWrites })),
        callback,
      );
    },
  };
}

/** What it throws becomes a rejection. */
async function inPromise<Answer>(answer: () => Answer): Promise<Answer> {
  return answer();
}

function answerWith<Answer>(answer: Promise<Answer>, callback: sendUnaryData<Answer>): void {
  answer.then(
    (value) => callback(null, value),
    (error) => callback(toStatus(toLarderError(error))),
  );
}

/** Sends the pending writes of all caches to their origins. Resolves with how many are left after `timeoutMs`. */
export async function drainAll(caches: readonly NodeCache[], timeoutMs: number): Promise<number> {
  const left = await Promise.all(caches.map((cache) => cache.loader.drain(timeoutMs)));
  return left.reduce((sum, count) => sum + count, 0);
}
