import type { Clock } from '@larder/base';
import type { KeySlice } from '@larder/proto';
import type { EntryLife } from '../entry-life.js';
import type { EntryMemory, EntryRef, RequestId } from '../entry-memory.js';
import type { LoaderCounters } from '../loader-statistics.js';
import type { Origin } from '../origins/origin.js';
import type { ResolvedCachePolicy } from '../policy.js';
import type { Reply } from '../reply.js';
import type { SingleFlight } from '../single-flight.js';
import type { UnsureKeys } from '../unsure-keys.js';

/** What the strategies of one cache share. */
export interface StrategyContext {
  /** The cache's name, for messages. */
  readonly name: string;
  readonly policy: ResolvedCachePolicy;
  readonly memory: EntryMemory;
  readonly clock: Clock;
  readonly life: EntryLife;
  readonly counters: LoaderCounters;
  /** Every write tells it, so that a load that began before does not fill. */
  readonly flights: SingleFlight;
  readonly unsure: UnsureKeys;
}

export interface OriginContext extends StrategyContext {
  readonly origin: Origin;
}

/** What a set or a delete does. Keys and values are valid during the call only; `reply` is answered exactly once. */
export interface WriteStrategy {
  set(
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    ttlMs: number,
    reply: Reply,
    timeoutMs: number,
  ): void;
  delete(key: KeySlice, reply: Reply, timeoutMs: number): void;
  /** An entry that came with a partition that this node has taken over: if it is dirty, it is this node's to flush. */
  adopt?(key: KeySlice, ref: EntryRef): void;
  /** The request came before and is under way to the origin: it gets the same answer. False: it is not. */
  join?(request: RequestId, reply: Reply): boolean;
  /** Sends what waits without further delay. Resolves with the number of writes that have not reached the origin. */
  drain(timeoutMs: number): Promise<number>;
  /** Ends timers and answers everyone who waits with CLOSED. */
  close(): void;
  readonly pendingWrites: number;
  readonly oldestPendingMs: number;
  /** Pending writes that the origin refuses. */
  readonly refusedRows: number;
}
