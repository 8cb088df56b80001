import type { Clock, Random } from '@larder/base';
import type { KeySlice, LarderError } from '@larder/proto';
import type { EntryLife } from '../entry-life.js';
import type { EntryMemory, EntryRef, RequestId } from '../entry-memory.js';
import type { FenceGate } from '../fence-gate.js';
import type { LoaderCounters } from '../loader-statistics.js';
import type { Origin } from '../origins/origin.js';
import type { ResolvedCachePolicy } from '../policy.js';
import type { Reply } from '../reply.js';
import type { SingleFlight } from '../single-flight.js';
import type { RecentInvalidations } from '../tags/recent-invalidations.js';
import type { ValueTags } from '../tags/value-tags.js';
import type { UnsureKeys } from '../unsure-keys.js';

/** What the strategies of one cache share. */
export interface StrategyContext {
  /** The cache's name, for messages. */
  readonly name: string;
  /** As it is now: it may be another one in the next turn. */
  readonly policy: ResolvedCachePolicy;
  readonly random: Random;
  readonly memory: EntryMemory;
  /** Undefined: all that there is is in memory. */
  readonly origin: Origin | undefined;
  readonly clock: Clock;
  readonly life: EntryLife;
  readonly counters: LoaderCounters;
  /** Every write tells it, so that a load that began before does not fill. */
  readonly flights: SingleFlight;
  readonly unsure: UnsureKeys;
  /** Undefined: the origin has no fence. */
  readonly gate: FenceGate | undefined;
  /** Whoever brings a value from elsewhere asks it in the end. */
  readonly invalidations: RecentInvalidations;
  /** Of values that come without tags. */
  readonly valueTags: ValueTags;
}

export interface OriginContext extends StrategyContext {
  readonly origin: Origin;
}

export function hasOrigin(context: StrategyContext): context is OriginContext {
  return context.origin !== undefined;
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
  /** Whether an earlier write of the key has not ended yet. */
  holds(text: string): boolean;
  /**
   * Of a key that it holds: brings it to its end soon, then calls back, with the reason if the origin refuses it.
   * Nothing of this key may be handed in meanwhile.
   */
  whenDone(text: string, done: (refusal: LarderError | undefined) => void): void;
  /** Partitions that were shut are so no more, or have gone. */
  lookAgain?(): void;
  /** The origin cannot be fenced now. */
  failShut?(error: LarderError): void;
  /** The partition is served elsewhere. */
  disown?(partition: number): void;
  policyChanged?(): void;
  /** Sends what waits without further delay. Resolves with the number of writes that have not reached the origin. */
  drain(timeoutMs: number): Promise<number>;
  /** Ends timers and answers everyone who waits with CLOSED. */
  close(): void;
  readonly pendingWrites: number;
  readonly oldestPendingMs: number;
  /** Pending writes that the origin refuses. */
  readonly refusedRows: number;
}
