import { Backoff, type Clock, type Random, type Timer } from '@larder/base';
import { type KeySlice, LarderError } from '@larder/proto';
import { BatchRunner, STATEMENT_BYTES_MAX } from './batch-runner.js';
import type { DirtyKey } from './dirty-key.js';
import { DirtyKeys } from './dirty-keys.js';
import { EntryFlag, type EntryMemory, type EntryRef } from './entry-memory.js';
import { FlushWaiters } from './flush-waiters.js';
import type { LoaderCounters } from './loader-statistics.js';
import { blamesRow, type Origin } from './origins/origin.js';
import type { ResolvedWriteBehindPolicy } from './policy.js';
import { splitBatch } from './split-batch.js';

/**
 * Brings dirty entries from memory to the origin in batches. The value is read from memory when its flush begins. A key
 * has one flush in flight, and becomes clean only if the version that was flushed is still the current one. A flush
 * whose outcome is unknown is repeated, which upserts and deletes allow. Nothing is ever dropped: while the origin is
 * down everything pauses with growing delays, and a row that it refuses waits apart from the others.
 *
 * It does not order the flushes of different keys, and writes of one key that coalesce are one row.
 */
export class Flusher {
  readonly #keys = new DirtyKeys();
  readonly #waiters: FlushWaiters;
  readonly #runner: BatchRunner;
  readonly #backoff: Backoff;
  /** Without a time trigger half of the allowed age is one, or a slow trickle would end in BUSY for good. */
  readonly #delayMs: number;
  /** So many at the front of the queue are due, because it had reached `flushSize` or because their flush failed. */
  #owed = 0;
  /** Halved by each failure of the origin, doubled by each success: what timed out as a large batch may pass as a small one. */
  #batchMax: number;
  #pausedUntilMs = 0;
  #retrying = false;
  /** So that neither waits for all of the other where there is one statement for both. */
  #retriedLast = false;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(readonly options: FlusherOptions) {
    const { policy, clock } = options;
    this.#waiters = new FlushWaiters(this.#keys, clock);
    this.#delayMs = Math.min(policy.delayMs, policy.ageMsMax / 2);
    this.#backoff = this.#newBackoff(Math.max(options.policy.retryFirstMs, ORIGIN_PAUSE_MS_MAX));
    this.#batchMax = policy.batchMax;
    this.#runner = new BatchRunner({
      statementsMax: policy.statementsMax,
      clock,
      takeBatch: () => this.#takeBatch(),
    });
  }

  get pending(): number {
    return this.#keys.size;
  }

  /** Of all pending writes, refused ones included. */
  get oldestPendingMs(): number {
    return this.#ageMs(this.#keys.oldestSinceMs);
  }

  get refused(): number {
    return this.#keys.refusedCount;
  }

  find(text: string): DirtyKey | undefined {
    return this.#keys.get(text);
  }

  /** Why a write cannot be accepted now, if it cannot. `known` is what `find` said about its key. */
  refusal(known: DirtyKey | undefined, keyBytes: number, valueBytes: number): LarderError | undefined {
    const { pendingMax, pendingBytesMax, ageMsMax } = this.options.policy;
    const { size, bytes, oldestAcceptedSinceMs } = this.#keys;
    if (known === undefined && size >= pendingMax) {
      return this.#busy(`${size} writes are pending, writeBehind.maxPending allows no more`);
    }
    const grownBytes = valueBytes + keyBytes - (known?.bytes ?? 0);
    if (grownBytes > 0 && bytes + grownBytes > pendingBytesMax) {
      return this.#busy(`${bytes} bytes are pending, writeBehind.maxPendingBytes allows ${pendingBytesMax}`);
    }
    const ageMs = this.#ageMs(oldestAcceptedSinceMs);
    if (ageMs > ageMsMax) {
      return this.#busy(
        `the oldest write is pending for ${Math.round(ageMs)} ms, writeBehind.maxAge allows ${ageMsMax}`,
      );
    }
    return undefined;
  }

  /** The key's entry in memory has just become dirty. */
  markDirty(known: DirtyKey | undefined, text: string, key: KeySlice, valueBytes: number): void {
    const nowMs = this.options.clock.monotonicMs();
    if (this.#keys.mark(known, text, key, valueBytes, nowMs)) this.options.counters.coalescedWrites++;
    this.#schedule(nowMs);
  }

  /** The key's entry came, dirty, with a partition that this node has taken over. */
  adopt(text: string, key: KeySlice, valueBytes: number): void {
    if (this.#keys.get(text) !== undefined) return;
    const nowMs = this.options.clock.monotonicMs();
    this.#keys.mark(undefined, text, key, valueBytes, nowMs);
    this.#schedule(nowMs);
  }

  /** Flushes everything that is pending now; a refused row is tried once. Resolves with how many of them remain. */
  drain(timeoutMs: number): Promise<number> {
    this.#keys.makeDue(Number.POSITIVE_INFINITY);
    const drained = this.#waiters.wait(timeoutMs);
    this.#schedule(this.options.clock.monotonicMs());
    return drained;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#waiters.endAll();
  }

  #schedule(nowMs: number): void {
    if (this.#closed) return;
    if (this.#hasWork(nowMs)) this.#runner.wake();
    const wakeAtMs = this.#nextWakeMs(nowMs);
    if (wakeAtMs >= this.#timerAtMs && this.#keys.size > 0) return;
    this.#timer?.cancel();
    this.#timerAtMs = wakeAtMs;
    if (wakeAtMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.options.clock.after(wakeAtMs - nowMs, () => this.#ring());
  }

  #ring(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.options.clock.monotonicMs();
    this.#keys.makeDue(nowMs);
    this.#schedule(nowMs);
  }

  #hasWork(nowMs: number): boolean {
    if (nowMs < this.#pausedUntilMs) return false;
    return this.#queueIsDue(nowMs) || (this.#keys.firstDue !== undefined && !this.#retrying);
  }

  #queueIsDue(nowMs: number): boolean {
    const { firstQueued, queuedCount } = this.#keys;
    if (firstQueued === undefined) return false;
    if (queuedCount >= this.options.policy.flushSize) this.#owed = queuedCount;
    return this.#owed > 0 || nowMs >= firstQueued.sinceMs + this.#delayMs || this.#waiters.size > 0;
  }

  /** The next time that something becomes due; what is due already waits for a statement slot, not for a timer. */
  #nextWakeMs(nowMs: number): number {
    if (nowMs < this.#pausedUntilMs) return this.#pausedUntilMs;
    const { firstQueued, hasRefused } = this.#keys;
    const dueAtMs = (firstQueued?.sinceMs ?? Number.POSITIVE_INFINITY) + this.#delayMs;
    const wakeAtMs = dueAtMs > nowMs ? dueAtMs : Number.POSITIVE_INFINITY;
    // One look at the refused rows per `retryFirst` at most.
    return hasRefused ? Math.min(wakeAtMs, nowMs + this.options.policy.retryFirstMs) : wakeAtMs;
  }

  #takeBatch(): Promise<void> | undefined {
    const nowMs = this.options.clock.monotonicMs();
    if (this.#closed || nowMs < this.#pausedUntilMs) return undefined;
    const { firstDue } = this.#keys;
    const queueIsDue = this.#queueIsDue(nowMs);
    if (firstDue !== undefined && !this.#retrying && !(queueIsDue && this.#retriedLast)) return this.#retry(firstDue);
    this.#retriedLast = false;
    if (!queueIsDue) return undefined;
    const batch = this.#keys.takeQueued(this.#batchMax, STATEMENT_BYTES_MAX);
    this.#owed = Math.max(0, this.#owed - batch.length);
    return this.#flush(batch);
  }

  /** Refused rows go one by one, one at a time, so that they take nothing from the others. */
  async #retry(dirty: DirtyKey): Promise<void> {
    this.#retrying = true;
    this.#retriedLast = true;
    await this.#flush(this.#keys.takeDue(dirty));
    this.#retrying = false;
  }

  async #flush(batch: readonly DirtyKey[]): Promise<void> {
    const { memory, origin, clock } = this.options;
    const sets: Flight[] = [];
    const deletes: Flight[] = [];
    const early: DirtyKey[] = [];
    for (const dirty of batch) {
      const { partition } = dirty;
      const ref = memory.owns(partition) ? memory.peek(dirty.key) : 0;
      if (!this.#isDirty(ref)) this.#keys.forget(dirty);
      else if (!memory.serves(partition) || !memory.isCommitted(ref, partition)) early.push(dirty);
      else if ((memory.flags(ref) & EntryFlag.tombstone) !== 0) deletes.push(this.#flight(dirty, ref, NO_VALUE));
      else sets.push(this.#flight(dirty, ref, this.#valueOf(ref)));
    }
    this.#postpone(early);
    await this.#send(sets, (part) => origin.writeMany(part));
    await this.#send(deletes, (part) => origin.deleteMany(part.map(({ key }) => key)));
    this.#keys.landed(batch);
    this.#waiters.check();
    this.#schedule(clock.monotonicMs());
  }

  /** What other nodes do not have yet must not reach the origin: it may be lost here. That takes a moment. */
  #postpone(early: DirtyKey[]): void {
    if (early.length === 0) return;
    this.#owed += early.length;
    this.#pauseEarly();
    for (let dirty = early.pop(); dirty !== undefined; dirty = early.pop()) this.#keys.putBack(dirty);
  }

  #pauseEarly(): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.options.clock.monotonicMs() + EARLY_PAUSE_MS);
  }

  /** A statement before this one has taken its time: a partition may have gone to a node that flushes by now. */
  #awayOf(part: readonly Flight[]): LarderError | undefined {
    const { memory } = this.options;
    const lost = part.find(({ dirty }) => !memory.serves(dirty.partition));
    return lost && memory.refusal(lost.dirty.partition);
  }

  #flight(dirty: DirtyKey, ref: EntryRef, value: Uint8Array): Flight {
    const { memory } = this.options;
    return { dirty, key: dirty.text, value, isChecked: true, epoch: memory.epoch(ref), seq: memory.seq(ref) };
  }

  async #send(flights: readonly Flight[], attempt: (part: readonly Flight[]) => Promise<unknown>): Promise<void> {
    if (flights.length === 0) return;
    const undelivered: DirtyKey[] = [];
    let away: LarderError | undefined;
    const checked = async (part: readonly Flight[]): Promise<unknown> => {
      away = this.#awayOf(part);
      if (away !== undefined) throw away;
      this.options.counters.writeStatements++;
      return attempt(part);
    };
    await splitBatch(flights, 'unknown', checked, {
      done: (part) => this.#delivered(part),
      failed: (part, error) => {
        if (error === away) for (const { dirty } of part) undelivered.push(dirty);
        else this.#failed(part, error, undelivered);
      },
    });
    if (away !== undefined) this.#pauseEarly();
    this.#owed += undelivered.length;
    for (let dirty = undelivered.pop(); dirty !== undefined; dirty = undelivered.pop()) this.#keys.putBack(dirty);
  }

  #delivered(part: readonly Flight[]): void {
    this.#backoff.reset();
    this.#batchMax = Math.min(this.options.policy.batchMax, this.#batchMax * 2);
    this.options.counters.rowsWritten += part.length;
    for (const flight of part) this.#settle(flight);
  }

  #settle({ dirty, epoch, seq }: Flight): void {
    const { memory } = this.options;
    const ref = memory.owns(dirty.partition) ? memory.peek(dirty.key) : 0;
    const isOurs = this.#isDirty(ref);
    if (isOurs && (memory.epoch(ref) !== epoch || memory.seq(ref) !== seq)) {
      this.#keys.requeue(dirty);
      return;
    }
    this.#keys.forget(dirty);
    if (isOurs) memory.clean(dirty.key, epoch, seq);
  }

  /** `undelivered` collects, in order, what goes back to the front of the queue. */
  #failed(part: readonly Flight[], error: LarderError, undelivered: DirtyKey[]): void {
    this.options.counters.writeFailures += part.length;
    const refused = part.length === 1 && blamesRow(error);
    for (const { dirty } of part) {
      if (refused || dirty.backoff !== undefined) this.#refuse(dirty, error);
      else undelivered.push(dirty);
    }
    if (refused) return;
    this.#batchMax = Math.max(1, this.#batchMax >>> 1);
    this.#pausedUntilMs = this.options.clock.monotonicMs() + this.#backoff.nextMs();
  }

  #refuse(dirty: DirtyKey, error: LarderError): void {
    if (dirty.againSinceMs >= 0) {
      this.#keys.requeue(dirty);
      return;
    }
    dirty.backoff ??= this.#newBackoff(this.options.policy.retryMsMax);
    this.#keys.refuse(dirty, error, this.options.clock.monotonicMs() + dirty.backoff.nextMs());
  }

  #isDirty(ref: EntryRef): boolean {
    return ref !== 0 && (this.options.memory.flags(ref) & (EntryFlag.dirty | EntryFlag.tombstone)) !== 0;
  }

  #valueOf(ref: EntryRef): Uint8Array {
    const { memory } = this.options;
    const value = Buffer.allocUnsafe(memory.valueBytes(ref));
    memory.copyValue(ref, 0, value.length, value, 0);
    return value;
  }

  #ageMs(sinceMs: number): number {
    return sinceMs === Number.POSITIVE_INFINITY ? 0 : this.options.clock.monotonicMs() - sinceMs;
  }

  #newBackoff(maxMs: number): Backoff {
    const { policy, random } = this.options;
    return new Backoff({ firstMs: policy.retryFirstMs, maxMs, jitter: 0.2 }, random);
  }

  #busy(message: string): LarderError {
    return new LarderError('BUSY', `cache '${this.options.name}': ${message}`, { outcome: 'not-applied' });
  }
}

export interface FlusherOptions {
  readonly name: string;
  readonly policy: ResolvedWriteBehindPolicy;
  readonly memory: EntryMemory;
  readonly origin: Origin;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: LoaderCounters;
}

/** A row on its way to the origin, with the version that it had when it left. */
interface Flight {
  readonly dirty: DirtyKey;
  readonly key: string;
  readonly value: Uint8Array;
  /** Whoever marks a key as dirty has asked the origin's `check`. */
  readonly isChecked: true;
  readonly epoch: number;
  readonly seq: number;
}

const NO_VALUE = new Uint8Array(0);
/**
 * While the origin is down it is asked about once a second: a longer pause would hold writes back long after its
 * return, and one statement a second is no burden.
 */
const ORIGIN_PAUSE_MS_MAX = 1_000;
/** For the other copies to acknowledge: several round trips. */
const EARLY_PAUSE_MS = 5;
