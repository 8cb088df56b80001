import type { Clock, Random, Timer } from '@larder/base';
import { LarderError } from '@larder/proto';
import { EntryFlag, type EntryMemory, type EntryRef } from './entry-memory.js';
import { isSeen } from './is-hidden.js';
import { sharedKey } from './key-text.js';
import type { LoaderCounters } from './loader-statistics.js';
import type { Reply } from './reply.js';
import type { RecentInvalidations } from './tags/recent-invalidations.js';
import type { TagHashes } from './tags/tag-hashes.js';

/**
 * Cache-aside without a stampede and without old values: of all who miss a key one gets a lease and loads, in the whole
 * cluster; the others wait here for what it brings. After Nishtala et al., "Scaling Memcache at Facebook" (NSDI 2013),
 * section 3.2.1, but that who waits is told when there is something to be told.
 *
 *   granted -> filled, or the key is written or removed    the value, if there is one, is everybody's
 *           -> given back, timed out, its holder gone      the next of those who wait gets a lease
 *           -> the partition has gone                      those who wait are sent after it
 *
 * A lease that has ended fills nothing, so what was loaded before a write cannot come back after it. Nor does a value with
 * a tag that was invalidated since its load was granted; and as its holder does not know of that, it is not to share that load
 * with callers who come later: it gets another number of the same lease. Leases are this node's own: after a failover the
 * next caller gets a new one.
 */
export interface FillLeasesOptions {
  /** The cache's name, for messages. */
  readonly name: string;
  readonly leaseMs: number;
  readonly memory: EntryMemory;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: LoaderCounters;
  readonly invalidations: RecentInvalidations;
  /** For tests; default LEASES_MAX and WAITING_MAX. */
  readonly leasesMax?: number;
  readonly waitingMax?: number;
}

/** Who holds leases and is told so again when it asks twice: a client's session. Compared by identity. */
export type LeaseHolder = object;

/** Keys that are being loaded by applications. At the bound: BUSY. */
const LEASES_MAX = 100_000;
/** Gets that wait for them. At the bound: BUSY. */
const WAITING_MAX = 100_000;
/** Loads of one key by one holder, if something is invalidated all the time. Beyond it the oldest fills nothing. */
const GRANTS_MAX = 8;
/** How late the end of a lease, or of a wait, may be noticed. */
const SWEEP_MS = 20;
/** A wait ends so long before the caller's deadline, so that the caller hears why; a quarter of the wait at most. A guess. */
const ANSWER_MS = 100;

export class FillLeases {
  /** In the order of their ends, because all are as long. */
  readonly #leases = new Map<string, Lease>();
  /** Those who waited for leases that have ended in this turn. */
  #left: Lease[] = [];
  #waiting = 0;
  #sweeper: Timer | undefined;

  constructor(readonly options: FillLeasesOptions) {}

  /** Leases that have not ended. */
  get count(): number {
    return this.#leases.size;
  }

  /** The key is not in memory. Answers `leased`, or later what comes of the lease that somebody has. */
  request(text: string, partition: number, reply: Reply, timeoutMs: number, holder: LeaseHolder): void {
    const lease = this.#leases.get(text);
    if (lease === undefined) this.#grant(text, partition, reply, holder);
    else if (lease.holder === holder) reply.leased(this.#numberOf(lease));
    else this.#wait(lease, reply, timeoutMs, holder);
  }

  /** Whether that lease may fill the key. */
  isGood(text: string, number: number): boolean {
    return this.#leases.get(text)?.grants.has(number) === true;
  }

  /** Whether what was loaded under a good lease may be stored with these tags. */
  mayFill(text: string, number: number, tags: TagHashes | undefined): boolean {
    const order = this.#leases.get(text)?.grants.get(number);
    return order !== undefined && !this.options.invalidations.concerns(order, tags);
  }

  /** A number that no lease has: what is loaded under it is not stored. */
  endedLease(): number {
    return this.#newNumber();
  }

  /** The load has failed. False: the lease had ended. */
  release(text: string, number: number): boolean {
    const grants = this.#leases.get(text)?.grants;
    if (grants === undefined || !grants.delete(number)) return false;
    if (grants.size === 0) this.endText(text);
    return true;
  }

  /** The holder is gone: gives back what it has, and lets go of its gets that wait. */
  forget(holder: LeaseHolder): void {
    const leases = [...this.#leases.values()];
    for (const lease of [...leases, ...this.#left]) {
      const stay = lease.waiters.filter((waiter) => waiter.holder !== holder);
      this.#waiting -= lease.waiters.length - stay.length;
      lease.waiters = stay;
    }
    for (const lease of leases) if (lease.holder === holder) this.endText(lease.text);
  }

  /** The key was written, removed or invalidated: what is being loaded may be older. */
  endText(text: string): void {
    const lease = this.#leases.get(text);
    if (lease === undefined) return;
    this.#leases.delete(text);
    if (lease.waiters.length === 0) return;
    // The memory may be about to follow: whoever ends a lease in the midst of a write has not finished yet.
    if (this.#left.length === 0) process.nextTick(this.#settle);
    this.#left.push(lease);
  }

  endAll(): void {
    for (const { text } of this.#leases.values()) this.endText(text);
  }

  endPartition(partition: number): void {
    for (const lease of this.#leases.values()) if (lease.partition === partition) this.endText(lease.text);
  }

  close(): void {
    this.#sweeper?.cancel();
    const error = new LarderError('CLOSED', `cache '${this.options.name}' is closed`);
    for (const { waiters } of [...this.#left, ...this.#leases.values()]) {
      for (const { reply } of waiters) this.#leave(reply).failed(error);
    }
    this.#left = [];
    this.#leases.clear();
  }

  #grant(text: string, partition: number, reply: Reply, holder: LeaseHolder): void {
    const { leasesMax = LEASES_MAX, clock, leaseMs, counters } = this.options;
    if (this.#leases.size >= leasesMax) {
      reply.failed(this.#busyError(`${leasesMax} keys are being loaded by applications already`));
      return;
    }
    const lease = new Lease(text, partition, holder, clock.monotonicMs() + leaseMs);
    this.#leases.set(text, lease);
    this.#sweeper ??= clock.every(SWEEP_MS, this.#sweep);
    counters.leases++;
    reply.leased(this.#numberOf(lease));
  }

  /** The last one that was granted, or a new one if something was invalidated since. */
  #numberOf({ grants }: Lease): number {
    const { order } = this.options.invalidations;
    let oldest = 0;
    for (const [number, grantedOrder] of grants) {
      if (grantedOrder === order) return number;
      oldest ||= number;
    }
    if (grants.size === GRANTS_MAX) grants.delete(oldest);
    const number = this.#newNumber();
    grants.set(number, order);
    return number;
  }

  #wait(lease: Lease, reply: Reply, timeoutMs: number, holder: LeaseHolder): void {
    const { waitingMax = WAITING_MAX, clock, counters } = this.options;
    if (this.#waiting >= waitingMax) {
      reply.failed(this.#busyError(`${waitingMax} gets wait for loads of other callers already`));
      return;
    }
    this.#waiting++;
    counters.coalescedWaiters++;
    const waitMs = timeoutMs - Math.min(ANSWER_MS, timeoutMs / 4);
    lease.waiters.push({ reply: reply.later(), deadlineMs: clock.monotonicMs() + waitMs, timeoutMs, holder });
  }

  readonly #settle = (): void => {
    const left = this.#left;
    this.#left = [];
    for (const lease of left) for (const waiter of lease.waiters) this.#goOn(lease, waiter);
  };

  /** The lease that it waited for has ended. */
  #goOn({ text, partition }: Lease, waiter: Waiter): void {
    const { memory } = this.options;
    const key = sharedKey(text, partition);
    const ref = memory.serves(partition) ? memory.peek(key) : 0;
    const next = this.#leases.get(text);
    if (!memory.serves(partition)) this.#leave(waiter.reply).failed(memory.refusal(partition));
    else if (ref !== 0 && isTombstone(memory, ref)) this.#leave(waiter.reply).leased(this.endedLease());
    else if (isSeen(memory, ref)) this.#leave(waiter.reply).entry(ref);
    else if (next === undefined) this.#grant(text, partition, this.#leave(waiter.reply), waiter.holder);
    else if (next.holder === waiter.holder) this.#leave(waiter.reply).leased(this.#numberOf(next));
    else next.waiters.push(waiter);
  }

  readonly #sweep = (): void => {
    const nowMs = this.options.clock.monotonicMs();
    for (const lease of this.#leases.values()) {
      if (lease.waiters.length > 0) this.#dropLate(lease, nowMs);
      if (lease.endsAtMs > nowMs) continue;
      this.options.counters.leasesExpired++;
      this.endText(lease.text);
    }
    if (this.#leases.size > 0) return;
    this.#sweeper?.cancel();
    this.#sweeper = undefined;
  };

  #dropLate(lease: Lease, nowMs: number): void {
    const { waiters } = lease;
    if (waiters.every(({ deadlineMs }) => deadlineMs > nowMs)) return;
    lease.waiters = waiters.filter(({ deadlineMs }) => deadlineMs > nowMs);
    for (const { reply, deadlineMs, timeoutMs } of waiters) {
      if (deadlineMs <= nowMs) this.#leave(reply).failed(this.#timeoutError(timeoutMs));
    }
  }

  #leave(reply: Reply): Reply {
    this.#waiting--;
    return reply;
  }

  #newNumber(): number {
    const { random } = this.options;
    return (random.uint32() & 0x1fffff) * 2 ** 32 + random.uint32() || 1;
  }

  #busyError(reason: string): LarderError {
    return new LarderError('BUSY', `cache '${this.options.name}': ${reason}`);
  }

  /** Final: who is told it has not been told that the cluster is away, and need not load by itself. */
  #timeoutError(timeoutMs: number): LarderError {
    const message = `cache '${this.options.name}': another caller is loading the key, and has not finished within ${timeoutMs} ms`;
    return new LarderError('TIMEOUT', message, { details: { final: true } });
  }
}

interface Waiter {
  readonly reply: Reply;
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  readonly holder: LeaseHolder;
}

/** A pending delete: the database still has the row, and whoever loads gets it. */
export function isTombstone(memory: EntryMemory, ref: EntryRef): boolean {
  return (memory.flags(ref) & EntryFlag.tombstone) !== 0;
}

class Lease {
  waiters: Waiter[] = [];
  /** Number to the last invalidation before it was granted. */
  readonly grants = new Map<number, number>();

  constructor(
    readonly text: string,
    readonly partition: number,
    readonly holder: LeaseHolder,
    readonly endsAtMs: number,
  ) {}
}
