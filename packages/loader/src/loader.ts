import type { Clock, Random } from '@larder/base';
import { type KeySlice, WriteMode } from '@larder/proto';
import type { DeadLetter } from './dead-letters.js';
import { EntryLife } from './entry-life.js';
import { EntryFlag, type EntryMemory, type EntryRef, type RequestId } from './entry-memory.js';
import { explainKey, type KeyExplanation } from './explain-key.js';
import { FenceGate } from './fence-gate.js';
import { FillLeases, type LeaseHolder } from './fill-leases.js';
import { isSeen } from './is-hidden.js';
import { keyText, sharedKey } from './key-text.js';
import { LoaderCounters, type LoaderStatistics } from './loader-statistics.js';
import { MissCause } from './miss-cause.js';
import { MeasuredOrigin, type OriginMeasurements } from './origins/measured-origin.js';
import type { Origin, OriginFence } from './origins/origin.js';
import type { ResolvedCachePolicy } from './policy.js';
import type { Reply } from './reply.js';
import { SingleFlight } from './single-flight.js';
import { ReadRouter } from './strategies/read-router.js';
import type { StrategyContext } from './strategies/strategy.js';
import { WriteRouter } from './strategies/write-router.js';
import { RecentInvalidations } from './tags/recent-invalidations.js';
import type { TagHashes } from './tags/tag-hashes.js';
import { ValueTags } from './tags/value-tags.js';
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
  #policy: ResolvedCachePolicy;
  readonly #reads: ReadRouter;
  readonly #writes: WriteRouter;
  readonly #unsure: UnsureKeys;
  readonly #gate: FenceGate | undefined;
  readonly #origin: MeasuredOrigin | undefined;
  readonly #breaker: Origin['breaker'];
  readonly #invalidations = new RecentInvalidations();
  #valueTags: ValueTags;

  constructor(options: LoaderOptions) {
    const { name, policy, memory, clock, random } = options;
    const origin = options.origin && new MeasuredOrigin(options.origin, clock, policy.memoryBytesMax);
    this.#origin = origin;
    this.#breaker = options.origin?.breaker;
    this.#memory = memory;
    this.#policy = policy;
    this.#life = new EntryLife(policy, random);
    this.#valueTags = new ValueTags(policy.tags);
    const currentPolicy = () => this.#policy;
    const currentValueTags = () => this.#valueTags;
    this.#leases = new FillLeases({
      name,
      get leaseMs() {
        return currentPolicy().leaseMs;
      },
      memory,
      clock,
      random,
      counters: this.#counters,
      invalidations: this.#invalidations,
    });
    this.#flights = new SingleFlight(this.#leases);
    // A call may want to write whatever the policy says.
    const written = origin?.isReadOnly === true ? undefined : origin;
    this.#unsure = new UnsureKeys(clock, written?.callMsMax ?? 0);
    this.#gate = written?.fence && this.#createGate(written.fence, clock, random);
    const context: StrategyContext = {
      name,
      get policy() {
        return currentPolicy();
      },
      memory,
      origin,
      clock,
      random,
      life: this.#life,
      counters: this.#counters,
      flights: this.#flights,
      unsure: this.#unsure,
      gate: this.#gate,
      invalidations: this.#invalidations,
      get valueTags() {
        return currentValueTags();
      },
    };
    this.#reads = new ReadRouter(context, this.#leases);
    this.#writes = new WriteRouter(context);
  }

  get policy(): ResolvedCachePolicy {
    return this.#policy;
  }

  /**
   * What comes from now on goes by this policy; what has begun ends as it began, and writes of a key stay in order. The
   * origin and the memory are as before, whatever it says of them.
   */
  setPolicy(policy: ResolvedCachePolicy): void {
    this.#policy = policy;
    this.#life.policy = policy;
    this.#valueTags = new ValueTags(policy.tags);
    this.#reads.policyChanged();
    this.#writes.policyChanged();
  }

  #createGate(fence: OriginFence, clock: Clock, random: Random): FenceGate {
    return new FenceGate({
      fence,
      clock,
      random,
      opened: (partition) => {
        this.#unsure.settlePartition(partition);
        // What began before may have seen the row as it was before a last statement of the owner before.
        this.#flights.supersedePartition(partition);
      },
      lookAgain: () => this.#writes.lookAgain(),
      failed: (error) => this.#writes.failShut(error),
    });
  }

  /** Answers `entry`, `value`, `copied`, `miss` or `failed` with TIMEOUT, BUSY, ORIGIN, ORIGIN_UNAVAILABLE or CLOSED. */
  get(key: KeySlice, reply: Reply, timeoutMs: number): void {
    this.#reads.get(key, reply, timeoutMs);
  }

  /** The same, but `mode`, a ReadMode, says where it looks; `failed` also with BAD_ARGUMENT if that cannot be. */
  read(key: KeySlice, mode: number, reply: Reply, timeoutMs: number): void {
    this.#reads.read(key, mode, reply, timeoutMs);
  }

  /**
   * Answers `written` or `failed`. `ttlMs`: TTL_DEFAULT takes the cache's, 0 never expires. The write strategy decides
   * when it is answered; besides the codes of `get` there are TOO_LARGE, OUT_OF_MEMORY and BAD_ARGUMENT. `mode`, a
   * WriteMode, is for this write another strategy than the policy's.
   * Without `tags` the entry gets those that the policy names.
   */
  set(
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    ttlMs: number,
    reply: Reply,
    timeoutMs: number,
    mode: number = WriteMode.byPolicy,
    tags: TagHashes | undefined = undefined,
  ): void {
    this.#counters.sets++;
    this.#memory.tags = tags ?? this.#valueTags.of(value, start, end);
    this.#writes.set(key, value, start, end, ttlMs, mode, reply, timeoutMs);
    this.#memory.tags = undefined;
  }

  /**
   * A get whose caller loads what is missing: where a miss is a miss it answers `leased` instead, to one caller at a time;
   * the others wait. `failed` also with TIMEOUT, final, if that takes too long. The rest is as `get`.
   */
  lease(key: KeySlice, reply: Reply, timeoutMs: number, holder: LeaseHolder): void {
    this.#reads.lease(key, reply, timeoutMs, holder);
  }

  /**
   * Stores what was loaded under a lease, in memory only, unless `mode` says otherwise. Answers `written`, `failed`, or
   * `refusedFill` if the lease has ended, or if a write of the key to the origin may still be under way.
   */
  fill(
    key: KeySlice,
    lease: number,
    value: Uint8Array,
    start: number,
    end: number,
    ttlMs: number,
    reply: Reply,
    timeoutMs: number,
    mode: number = WriteMode.byPolicy,
    tags: TagHashes | undefined = undefined,
  ): void {
    this.#memory.tags = tags ?? this.#valueTags.of(value, start, end);
    if (this.#reads.mayFill(key, lease, reply)) {
      if (mode === WriteMode.byPolicy) this.#reads.fill(key, value, start, end, ttlMs, reply);
      else this.#writes.set(key, value, start, end, ttlMs, mode, reply, timeoutMs);
    }
    this.#memory.tags = undefined;
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
  delete(key: KeySlice, reply: Reply, timeoutMs: number, mode: number = WriteMode.byPolicy): void {
    this.#counters.deletes++;
    this.#writes.delete(key, mode, reply, timeoutMs);
  }

  /** Gives what memory holds another remaining life and answers `found`. The origin has no part in it. */
  expire(key: KeySlice, ttlMs: number, reply: Reply): void {
    const ref = this.#memory.peek(key);
    const found = isSeen(this.#memory, ref);
    if (found) {
      this.#flights.supersede(key);
      this.#memory.expire(key, this.#life.lifeMs(ttlMs));
    }
    reply.found(found);
  }

  /**
   * An invalidation begins, of everything or of what has one of the tags: loads that are under way do not bring such a value
   * back. Call `invalidate` for each partition afterwards.
   */
  beginInvalidation(tags: TagHashes | undefined): void {
    this.#counters.invalidations++;
    this.#invalidations.add(tags);
    const isEverything = tags === undefined;
    if (isEverything || this.#valueTags.any) this.#flights.invalidated(this.#invalidations.order, isEverything);
  }

  /** False: the partition had no such entry. What is not yet in the origin stays. */
  invalidate(partition: number, tags: TagHashes | undefined): boolean {
    return this.#memory.invalidate(partition, tags);
  }

  /**
   * The origin's row of that key was changed by somebody else. Its entry goes, and what a load under way brings is not
   * kept. False: ask again, because this node is about to serve the key, or has a write of it that the origin does not
   * have yet; that write may be older or newer than the change.
   */
  forget(text: string, partition: number): boolean {
    const memory = this.#memory;
    if (!memory.serves(partition)) return !memory.owns(partition);
    this.#flights.supersedeText(text);
    const key = sharedKey(text, partition);
    const ref = memory.peek(key);
    if (this.#unsure.isUnderWay(text) || (ref !== 0 && (memory.flags(ref) & UNSETTLED) !== 0)) return false;
    if (ref === 0) return true;
    memory.remove(key);
    memory.noteMissCause(sharedKey(text, partition), MissCause.invalidated);
    return true;
  }

  /** A write that came before and is under way to the origin gets the same answer again. False: there is none. */
  join(request: RequestId, reply: Reply): boolean {
    return this.#writes.join(request, reply);
  }

  /** An entry of a partition that this node has taken over. Cheap if it is of no concern. */
  adopt(key: KeySlice, ref: EntryRef): void {
    this.#writes.adopt(key, ref);
  }

  /** The partition is served elsewhere: what loads of its keys bring must not be stored, should it come back. */
  disown(partition: number): void {
    this.#flights.supersedePartition(partition);
    this.#writes.disown(partition);
    this.#gate?.forget(partition);
  }

  /**
   * The partition had another owner, perhaps with a write to the origin under way that will still take effect. It began
   * none later than in `forMs`; below 0: than so long ago; -Infinity: none but flushes, which readers do not mind.
   */
  takenOver(partition: number, forMs: number): void {
    this.#unsure.addPartition(partition, forMs);
    this.#gate?.shut(partition, forMs);
  }

  /** Rows of write-behind that the origin refuses, at most so many; those that are not tried again by themselves first. */
  deadLetters(limit: number): DeadLetter[] {
    return this.#writes.deadLetters(limit);
  }

  /** Has a dead letter tried now. False: there is none of this key here. */
  retryDeadLetter(key: string): boolean {
    return this.#writes.retryDeadLetter(key);
  }

  /** Gives the value of a dead letter up: the key is forgotten, and the next read asks the origin. False: there is none here. */
  discardDeadLetter(key: string): boolean {
    return this.#writes.discardDeadLetter(key);
  }

  /** Sends pending writes to the origin without further delay. Resolves with the number that is left at the deadline. */
  drain(timeoutMs: number): Promise<number> {
    return this.#writes.drain(timeoutMs);
  }

  /** Answers everyone who waits with CLOSED and stops all timers. Drain first: what is pending stays in memory only. */
  close(): void {
    this.#gate?.close();
    this.#reads.close();
    this.#writes.close();
  }

  /** What is known of the key, which must be this node's. Neither counts as a use nor loads. */
  explain(key: KeySlice): KeyExplanation {
    const parts = { memory: this.#memory, policy: this.#policy, flights: this.#flights, origin: this.#origin };
    return explainKey({ ...parts, deadLetters: (limit) => this.deadLetters(limit) }, key);
  }

  statistics(): LoaderStatistics {
    const { pendingWrites, oldestPendingMs, refusedRows, givenUpRows } = this.#writes;
    return {
      ...this.#counters,
      ...(this.#origin?.measurements ?? UNMEASURED),
      pendingWrites,
      oldestPendingMs,
      refusedRows,
      givenUpRows,
      breaker: this.#breaker?.state ?? 'none',
    };
  }
}

/** The entry and its row are not the same yet. */
const UNSETTLED = EntryFlag.dirty | EntryFlag.tombstone | EntryFlag.unsure;

const UNMEASURED: OriginMeasurements = {
  loadMs: undefined,
  loadKeys: undefined,
  writeMs: undefined,
  writeRows: undefined,
};
