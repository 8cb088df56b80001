import { assert } from '@larder/base';
import { type KeySlice, LarderError, ReadMode } from '@larder/proto';
import { EntryFlag, type EntryRef } from '../entry-memory.js';
import { type FillLeases, isTombstone, type LeaseHolder } from '../fill-leases.js';
import { isHidden, isOver } from '../is-hidden.js';
import { keyText } from '../key-text.js';
import { MissCause } from '../miss-cause.js';
import type { Reply } from '../reply.js';
import { ReadThrough } from './read-through.js';
import { RefreshAhead } from './refresh-ahead.js';
import { hasOrigin, type StrategyContext } from './strategy.js';
import { WriteMemory } from './write-memory.js';

/** What the origin does not have yet. */
const NEWER = EntryFlag.dirty | EntryFlag.tombstone;

/** Where reads go, by the policy as it is now or by their call. A hit is answered within the call and allocates nothing. */
export class ReadRouter {
  /** Undefined: there is no origin. */
  readonly #origin: ReadThrough | undefined;
  #refresh: RefreshAhead | undefined;
  /** What an application has loaded is not to be written to the origin, where it came from. */
  readonly #fills: WriteMemory;

  constructor(
    readonly context: StrategyContext,
    readonly leases: FillLeases,
  ) {
    this.#origin = hasOrigin(context) ? new ReadThrough(context) : undefined;
    this.#fills = new WriteMemory(context);
    this.policyChanged();
  }

  policyChanged(): void {
    const { policy, memory, clock, random } = this.context;
    assert(
      policy.read !== 'through' || this.#origin !== undefined,
      'the policy has a strategy that needs an origin, and there is none',
    );
    memory.graceMs = policy.staleForMs;
    this.#refresh?.close();
    const { refreshAhead, ttlMs } = policy;
    const reads = this.#origin;
    this.#refresh =
      refreshAhead && reads && new RefreshAhead({ policy: refreshAhead, ttlMs, memory, reads, clock, random });
  }

  get(key: KeySlice, reply: Reply, timeoutMs: number): void {
    if (this.#isHit(key, reply)) return;
    if (this.context.policy.read === 'through') this.#origin!.load(key, reply, timeoutMs);
    else reply.miss();
  }

  /** A get that looks where the call says. */
  read(key: KeySlice, mode: number, reply: Reply, timeoutMs: number): void {
    const origin = this.#origin;
    if (mode === ReadMode.byPolicy) this.get(key, reply, timeoutMs);
    else if (mode === ReadMode.aside) this.#isHit(key, reply) || reply.miss();
    else if (mode !== ReadMode.through && mode !== ReadMode.fresh) reply.failed(unknownMode(mode));
    else if (origin === undefined) reply.failed(this.#noOrigin(mode));
    else if (mode === ReadMode.through) this.#isHit(key, reply) || origin.load(key, reply, timeoutMs);
    else if (this.#isNewer(key)) this.get(key, reply, timeoutMs);
    else origin.loadFresh(key, reply, timeoutMs);
  }

  /** A get whose caller loads a miss. */
  lease(key: KeySlice, reply: Reply, timeoutMs: number, holder: LeaseHolder): void {
    const { memory, counters, policy } = this.context;
    if (policy.read === 'through') {
      this.get(key, reply, timeoutMs);
      return;
    }
    const ref = memory.find(key);
    if (ref !== 0 && !isHidden(memory.flags(ref))) {
      counters.hits++;
      this.#hit(key, ref, reply);
      return;
    }
    counters.miss(ref === 0 ? memory.missCause(key) : MissCause.invalidated);
    const text = keyText(key);
    if (text === undefined) reply.miss();
    else if (ref !== 0 && isTombstone(memory, ref)) reply.leased(this.leases.endedLease());
    else this.leases.request(text, key.partition, reply, timeoutMs, holder);
  }

  /** Whether the lease is good for what `memory.tags` says of the value; if not, it answers. */
  mayFill(key: KeySlice, lease: number, reply: Reply): boolean {
    const { memory, counters, unsure } = this.context;
    const text = keyText(key);
    if (text !== undefined && this.leases.isGood(text, lease) && !unsure.has(text, key.partition)) {
      if (this.leases.mayFill(text, lease, memory.tags)) return true;
      // It was invalidated on its way: whoever waits for it loads anew.
      this.leases.release(text, lease);
    }
    counters.refusedFills++;
    memory.request = undefined;
    reply.refusedFill();
    return false;
  }

  fill(key: KeySlice, value: Uint8Array, start: number, end: number, ttlMs: number, reply: Reply): void {
    this.#fills.set(key, value, start, end, ttlMs, reply);
  }

  close(): void {
    this.leases.close();
    this.#refresh?.close();
    this.#origin?.close();
  }

  /** Answers a hit. */
  #isHit(key: KeySlice, reply: Reply): boolean {
    const { memory, counters } = this.context;
    const ref = memory.find(key);
    if (ref !== 0 && !isOver(memory, ref)) {
      counters.hits++;
      this.#hit(key, ref, reply);
      return true;
    }
    counters.miss(ref === 0 ? memory.missCause(key) : MissCause.expired);
    return false;
  }

  /** A longer life is given after the answer, which need not wait until other copies know of it. */
  #hit(key: KeySlice, ref: EntryRef, reply: Reply): void {
    const { memory, life, policy } = this.context;
    const flags = memory.flags(ref);
    if (isHidden(flags)) {
      reply.miss();
      return;
    }
    const isClean = (flags & ~EntryFlag.tagged) === 0;
    const isRenewed = life.slides && isClean && life.isRenewalDue(memory.remainingMs(ref));
    if (this.#refresh !== undefined && isClean) this.#refresh.hit(key, memory.seq(ref), memory.remainingMs(ref));
    reply.entry(ref);
    if (!isRenewed) return;
    memory.request = undefined;
    memory.expire(key, policy.idleMs);
  }

  /** Written, and not yet in the origin: reads of such a key never ask it. */
  #isNewer(key: KeySlice): boolean {
    const { memory } = this.context;
    const ref = memory.peek(key);
    return ref !== 0 && (memory.flags(ref) & NEWER) !== 0;
  }

  #noOrigin(mode: number): LarderError {
    const name = mode === ReadMode.fresh ? 'fresh' : 'through';
    const message = `read is '${name}', and cache '${this.context.name}' has no origin; allowed is 'aside'`;
    return new LarderError('BAD_ARGUMENT', message);
  }
}

/** Of a mode that this version does not know. */
function unknownMode(mode: number): LarderError {
  return new LarderError('BAD_ARGUMENT', `operation.read is ${mode}; allowed are 0 to 3`);
}
