import { assert, type Clock, type Random } from '@larder/base';
import type { KeySlice } from '@larder/proto';
import { EntryLife } from './entry-life.js';
import type { EntryMemory, EntryRef, RequestId } from './entry-memory.js';
import { FillLeases, isTombstone, type LeaseHolder } from './fill-leases.js';
import { isHidden } from './is-hidden.js';
import { keyText } from './key-text.js';
import { LoaderCounters, type LoaderStatistics } from './loader-statistics.js';
import { MeasuredOrigin, type OriginMeasurements } from './origins/measured-origin.js';
import type { Origin } from './origins/origin.js';
import type { ResolvedCachePolicy } from './policy.js';
import type { Reply } from './reply.js';
import { SingleFlight } from './single-flight.js';
import { ReadThrough } from './strategies/read-through.js';
import type { StrategyContext, WriteStrategy } from './strategies/strategy.js';
import { WriteAround } from './strategies/write-around.js';
import { WriteBehind } from './strategies/write-behind.js';
import { WriteMemory } from './strategies/write-memory.js';
import { WriteThrough } from './strategies/write-through.js';
import { UnsureKeys } from './unsure-keys.js';

export interface LoaderOptions {
  /** The cache's name, for messages. */
  readonly name: string;
  readonly policy: ResolvedCachePolicy;
  readonly memory: EntryMemory;
  /** Must be there if the policy's strategies ask one. The loader does not close it. */
  readonly origin: Origin | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * One cache's strategies at the owner of its keys: the one place where its memory and its origin meet, so that for each
 * key everything is in order. A hit is answered within the call and allocates nothing. Keys and values are only looked
 * at during the call; what has to wait is copied.
 */
export class Loader {
  readonly #memory: EntryMemory;
  readonly #counters = new LoaderCounters();
  readonly #leases: FillLeases;
  readonly #flights: SingleFlight;
  readonly #life: EntryLife;
  /** Undefined: cache-aside, a miss is a miss. */
  readonly #reads: ReadThrough | undefined;
  readonly #writes: WriteStrategy;
  /** What an application has loaded is not to be written to the origin, where it came from. */
  readonly #fills: WriteMemory;
  readonly #unsure: UnsureKeys;
  readonly #origin: MeasuredOrigin | undefined;

  constructor(readonly options: LoaderOptions) {
    const { name, policy, memory, clock, random } = options;
    const origin = options.origin && new MeasuredOrigin(options.origin, clock);
    this.#origin = origin;
    this.#memory = memory;
    this.#life = new EntryLife(policy, random);
    const leaseMs = policy.leaseMs;
    this.#leases = new FillLeases({ name, leaseMs, memory, clock, random, counters: this.#counters });
    this.#flights = new SingleFlight(this.#leases);
    this.#unsure = new UnsureKeys(clock, origin?.callMsMax ?? 0);
    const context: StrategyContext = {
      name,
      policy,
      memory,
      clock,
      life: this.#life,
      counters: this.#counters,
      flights: this.#flights,
      unsure: this.#unsure,
    };
    this.#reads = policy.read === 'through' ? new ReadThrough({ ...context, origin: needed(origin) }) : undefined;
    this.#writes = writeStrategy(context, origin, random);
    this.#fills = new WriteMemory(context);
  }

  /** Answers `entry`, `value`, `miss` or `failed` with TIMEOUT, BUSY, ORIGIN, ORIGIN_UNAVAILABLE or CLOSED. */
  get(key: KeySlice, reply: Reply, timeoutMs: number): void {
    const ref = this.#memory.find(key);
    if (ref !== 0) {
      this.#counters.hits++;
      this.#hit(key, ref, reply);
      return;
    }
    this.#counters.miss(this.#memory.missCause(key));
    if (this.#reads === undefined) reply.miss();
    else this.#reads.load(key, reply, timeoutMs);
  }

  /** A longer life is given after the answer, which need not wait until other copies know of it. */
  #hit(key: KeySlice, ref: EntryRef, reply: Reply): void {
    const memory = this.#memory;
    const flags = memory.flags(ref);
    if (isHidden(flags)) {
      reply.miss();
      return;
    }
    const isRenewed = this.#life.slides && flags === 0 && this.#life.isRenewalDue(memory.remainingMs(ref));
    reply.entry(ref);
    if (!isRenewed) return;
    memory.request = undefined;
    memory.expire(key, this.options.policy.idleMs);
  }

  /**
   * Answers `written` or `failed`. `ttlMs`: TTL_DEFAULT takes the cache's, 0 never expires. The write strategy decides
   * when it is answered; besides the codes of `get` there are TOO_LARGE, OUT_OF_MEMORY and BAD_ARGUMENT.
   */
  set(
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    ttlMs: number,
    reply: Reply,
    timeoutMs: number,
  ): void {
    this.#counters.sets++;
    this.#writes.set(key, value, start, end, ttlMs, reply, timeoutMs);
  }

  /**
   * A get whose caller loads what is missing: where a miss is a miss it answers `leased` instead, to one caller at a time;
   * the others wait. `failed` also with TIMEOUT, final, if that takes too long. The rest is as `get`.
   */
  lease(key: KeySlice, reply: Reply, timeoutMs: number, holder: LeaseHolder): void {
    if (this.#reads !== undefined) {
      this.get(key, reply, timeoutMs);
      return;
    }
    const memory = this.#memory;
    const ref = memory.find(key);
    if (ref !== 0 && !isHidden(memory.flags(ref))) {
      this.#counters.hits++;
      this.#hit(key, ref, reply);
      return;
    }
    this.#counters.misses++;
    const text = keyText(key);
    if (text === undefined) reply.miss();
    else if (ref !== 0 && isTombstone(memory, ref)) reply.leased(this.#leases.endedLease());
    else this.#leases.request(text, key.partition, reply, timeoutMs, holder);
  }

  /**
   * Stores what was loaded under a lease, in memory only. Answers `written`, `failed`, or `refusedFill` if the lease has
   * ended, or if a write of the key to the origin may still be under way.
   */
  fill(key: KeySlice, lease: number, value: Uint8Array, start: number, end: number, ttlMs: number, reply: Reply): void {
    const text = keyText(key);
    if (text !== undefined && this.#leases.isGood(text, lease) && !this.#unsure.has(text, key.partition)) {
      this.#fills.set(key, value, start, end, ttlMs, reply);
      return;
    }
    this.#counters.refusedFills++;
    this.#memory.request = undefined;
    reply.refusedFill();
  }

  /** The load under that lease has failed: who waits next gets one. False: it had ended. */
  release(key: KeySlice, lease: number): boolean {
    const text = keyText(key);
    return text !== undefined && this.#leases.release(text, lease);
  }

  /** Gives back all leases of a holder that is gone. */
  releaseAll(holder: LeaseHolder): void {
    if (this.#leases.count > 0) this.#leases.forget(holder);
  }

  /**
   * Answers `found` or `failed`. Where the caller waits for the origin it tells whether there was a row; write-behind
   * and caches without an origin tell whether memory had an entry.
   */
  delete(key: KeySlice, reply: Reply, timeoutMs: number): void {
    this.#counters.deletes++;
    this.#writes.delete(key, reply, timeoutMs);
  }

  /** Gives what memory holds another remaining life and answers `found`. The origin has no part in it. */
  expire(key: KeySlice, ttlMs: number, reply: Reply): void {
    const ref = this.#memory.peek(key);
    const found = ref !== 0 && !isHidden(this.#memory.flags(ref));
    if (found) {
      this.#flights.supersede(key);
      this.#memory.expire(key, this.#life.lifeMs(ttlMs));
    }
    reply.found(found);
  }

  /** A write that came before and is under way to the origin gets the same answer again. False: there is none. */
  join(request: RequestId, reply: Reply): boolean {
    return this.#writes.join?.(request, reply) ?? false;
  }

  /** An entry of a partition that this node has taken over. Cheap if it is of no concern. */
  adopt(key: KeySlice, ref: EntryRef): void {
    this.#writes.adopt?.(key, ref);
  }

  /** The partition is served elsewhere: what loads of its keys bring must not be stored, should it come back. */
  disown(partition: number): void {
    this.#flights.supersedePartition(partition);
  }

  /**
   * The partition had another owner, perhaps with a write to the origin under way that will still take effect. It began
   * none later than in `forMs`; below 0: than so long ago.
   */
  takenOver(partition: number, forMs: number): void {
    this.#unsure.addPartition(partition, forMs);
  }

  /** Sends pending writes to the origin without further delay. Resolves with the number that is left at the deadline. */
  drain(timeoutMs: number): Promise<number> {
    return this.#writes.drain(timeoutMs);
  }

  /** Answers everyone who waits with CLOSED and stops all timers. Drain first: what is pending stays in memory only. */
  close(): void {
    this.#leases.close();
    this.#reads?.close();
    this.#writes.close();
  }

  statistics(): LoaderStatistics {
    const { pendingWrites, oldestPendingMs, refusedRows } = this.#writes;
    return {
      ...this.#counters,
      ...(this.#origin?.measurements ?? UNMEASURED),
      pendingWrites,
      oldestPendingMs,
      refusedRows,
      breaker: this.options.origin?.breaker?.state ?? 'none',
    };
  }
}

const UNMEASURED: OriginMeasurements = {
  loadMs: undefined,
  loadKeys: undefined,
  writeMs: undefined,
  writeRows: undefined,
};

function writeStrategy(context: StrategyContext, origin: Origin | undefined, random: Random): WriteStrategy {
  switch (context.policy.write) {
    case 'memory':
      return new WriteMemory(context);
    case 'through':
      return new WriteThrough({ ...context, origin: needed(origin) });
    case 'around':
      return new WriteAround({ ...context, origin: needed(origin) });
    case 'behind':
      return new WriteBehind({ ...context, origin: needed(origin) }, random);
  }
}

function needed(origin: Origin | undefined): Origin {
  assert(origin !== undefined, 'the policy has a strategy that needs an origin, and there is none');
  return origin;
}
