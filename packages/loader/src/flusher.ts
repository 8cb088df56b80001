import { Backoff, type Timer } from '@larder/base';
import { type KeySlice, LarderError } from '@larder/proto';
import { BatchRunner, STATEMENT_BYTES_MAX } from './batch-runner.js';
import { DeadLetters } from './dead-letters.js';
import type { DirtyKey } from './dirty-key.js';
import { DirtyKeys, isRefused } from './dirty-keys.js';
import { EntryFlag, type EntryRef } from './entry-memory.js';
import { FlushWaiters } from './flush-waiters.js';
import { blamesRow, isFenced } from './origins/origin.js';
import { PartitionHolds } from './partition-holds.js';
import type { ResolvedWriteBehindPolicy } from './policy.js';
import { splitBatch } from './split-batch.js';
import type { OriginContext } from './strategies/strategy.js';

/**
 * Brings dirty entries from memory to the origin in batches. The value is read from memory when its flush begins. A key
 * has one flush in flight, and becomes clean only if the version that was flushed is still the current one. A flush
 * whose outcome is unknown is repeated, which upserts and deletes allow. Nothing is ever dropped: while the origin is
 * down everything pauses with growing delays; a row that it refuses is a dead letter, tried a few times, then on demand.
 *
 * It does not order the flushes of different keys, and writes of one key that coalesce are one row.
 */
export class Flusher {
  readonly #keys = new DirtyKeys();
  readonly #waiters: FlushWaiters;
  readonly deadLetters: DeadLetters;
  readonly #runner: BatchRunner;
  #backoff: Backoff;
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

  constructor(readonly context: OriginContext) {
    const { clock } = context;
    this.#waiters = new FlushWaiters(this.#keys, clock);
    this.deadLetters = new DeadLetters(this.#keys, context, () => {
      this.#waiters.check();
      this.#schedule(clock.monotonicMs());
    });
    this.#backoff = this.#newOriginBackoff();
    this.#batchMax = this.#policy.batchMax;
    const statementsMax = () => this.#policy.statementsMax;
    this.#runner = new BatchRunner({
      get statementsMax() {
        return statementsMax();
      },
      clock,
      takeBatch: () => this.#takeBatch(),
    });
  }

  get #policy(): ResolvedWriteBehindPolicy {
    return this.context.policy.writeBehind;
  }

  /** Without a time trigger half of the allowed age is one, or a slow trickle would end in BUSY for good. */
  get #delayMs(): number {
    return Math.min(this.#policy.delayMs, this.#policy.ageMsMax / 2);
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
    const { pendingMax, pendingBytesMax, ageMsMax } = this.#policy;
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
    const nowMs = this.context.clock.monotonicMs();
    if (this.#keys.mark(known, text, key, valueBytes, nowMs)) this.context.counters.coalescedWrites++;
    this.#schedule(nowMs);
  }

  /** The key's entry came, dirty, with a partition that this node has taken over. */
  adopt(text: string, key: KeySlice, valueBytes: number): void {
    if (this.#keys.get(text) !== undefined) return;
    const nowMs = this.context.clock.monotonicMs();
    this.#keys.mark(undefined, text, key, valueBytes, nowMs);
    this.#schedule(nowMs);
  }

  /** Flushes everything that is pending now; a refused row is tried once. Resolves with how many of them remain. */
  drain(timeoutMs: number): Promise<number> {
    this.#keys.makeDue(Number.POSITIVE_INFINITY);
    const drained = this.#waiters.wait(timeoutMs);
    this.#schedule(this.context.clock.monotonicMs());
    return drained;
  }

  /** Calls back when the key is in the origin or gone from here, or with the reason why the origin refuses it. */
  whenDone(dirty: DirtyKey, done: (refusal: LarderError | undefined) => void): void {
    if (isRefused(dirty)) {
      done(dirty.refusal);
      return;
    }
    dirty.whenDone = done;
    if (this.#keys.hurry(dirty)) this.#owed++;
    this.#schedule(this.context.clock.monotonicMs());
  }

  /** Partitions that were shut are so no more, or have gone. */
  lookAgain(): void {
    this.#owed += this.#keys.takeBackShut();
    this.#schedule(this.context.clock.monotonicMs());
  }

  policyChanged(): void {
    this.#backoff = this.#newOriginBackoff();
    this.#schedule(this.context.clock.monotonicMs());
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
    this.#timer = this.context.clock.after(wakeAtMs - nowMs, () => this.#ring());
  }

  #ring(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.context.clock.monotonicMs();
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
    if (queuedCount >= this.#policy.flushSize) this.#owed = queuedCount;
    return this.#owed > 0 || nowMs >= firstQueued.sinceMs + this.#delayMs || this.#waiters.size > 0;
  }

  /** The next time that something becomes due; what is due already waits for a statement slot, not for a timer. */
  #nextWakeMs(nowMs: number): number {
    if (nowMs < this.#pausedUntilMs) return this.#pausedUntilMs;
    const { firstQueued, hasRefused } = this.#keys;
    const dueAtMs = (firstQueued?.sinceMs ?? Number.POSITIVE_INFINITY) + this.#delayMs;
    const wakeAtMs = dueAtMs > nowMs ? dueAtMs : Number.POSITIVE_INFINITY;
    // One look at the refused rows per `retryFirst` at most.
    return hasRefused ? Math.min(wakeAtMs, nowMs + this.#policy.retryFirstMs) : wakeAtMs;
  }

  #takeBatch(): Promise<void> | undefined {
    const nowMs = this.context.clock.monotonicMs();
    if (this.#closed || nowMs < this.#pausedUntilMs) return undefined;
    const { firstDue } = this.#keys;
    const queueIsDue = this.#queueIsDue(nowMs);
    if (firstDue !== undefined && !this.#retrying && !(queueIsDue && this.#retriedLast)) return this.#retry(firstDue);
    this.#retriedLast = false;
    if (!queueIsDue) return undefined;
    const batch = this.#keys.takeQueued(Math.min(this.#batchMax, this.#policy.batchMax), STATEMENT_BYTES_MAX);
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
    const { memory, origin, clock, gate } = this.context;
    const sets: Flight[] = [];
    const deletes: Flight[] = [];
    const early: DirtyKey[] = [];
    const holds = new PartitionHolds(memory);
    for (const dirty of batch) {
      const { partition } = dirty;
      const ref = memory.owns(partition) ? memory.peek(dirty.key) : 0;
      if (!this.#isDirty(ref)) this.#forget(dirty);
      else if (gate?.isShut(partition)) this.#keys.setAside(dirty);
      else if (!memory.serves(partition) || !memory.isCommitted(ref, partition)) early.push(dirty);
      else if ((memory.flags(ref) & EntryFlag.unsure) !== 0) early.push(dirty);
      else {
        holds.add(partition);
        if ((memory.flags(ref) & EntryFlag.tombstone) !== 0) deletes.push(this.#flight(dirty, ref, NO_VALUE));
        else sets.push(this.#flight(dirty, ref, this.#valueOf(ref)));
      }
    }
    this.#postpone(early);
    await this.#send(sets, (part) => origin.writeMany(part));
    await this.#send(deletes, (part) => origin.deleteMany(part.map(({ key }) => key)));
    holds.release();
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
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.context.clock.monotonicMs() + EARLY_PAUSE_MS);
  }

  /** A statement before this one has taken its time: a partition may have been lost to a node that flushes by now. */
  #awayOf(part: readonly Flight[]): LarderError | undefined {
    const { memory, gate } = this.context;
    const lost = part.find(({ dirty }) => !memory.keeps(dirty.partition) || gate?.isShut(dirty.partition));
    return lost && memory.refusal(lost.dirty.partition);
  }

  #flight(dirty: DirtyKey, ref: EntryRef, value: Uint8Array): Flight {
    const { memory } = this.context;
    return { dirty, key: dirty.text, value, isChecked: true, epoch: memory.epoch(ref), seq: memory.seq(ref) };
  }

  async #send(flights: readonly Flight[], attempt: (part: readonly Flight[]) => Promise<unknown>): Promise<void> {
    if (flights.length === 0) return;
    const { counters } = this.context;
    const undelivered: DirtyKey[] = [];
    let away: LarderError | undefined;
    let isAsked = false;
    const checked = async (part: readonly Flight[]): Promise<unknown> => {
      away = this.#awayOf(part);
      if (away !== undefined) throw away;
      counters.writeStatements++;
      return attempt(part);
    };
    await splitBatch(flights, 'unknown', checked, {
      named: (part, error) => part.findIndex(({ key }) => key === error.details?.row),
      done: (part) => this.#delivered(part),
      failed: (part, error) => {
        // Fenced off: other nodes have taken partitions over, these rows' perhaps. The next flush asks for each of them.
        if (isFenced(error) && !isAsked) counters.fencedStatements++;
        isAsked ||= error === away || isFenced(error);
        if (isAsked) for (const { dirty } of part) undelivered.push(dirty);
        else this.#failed(part, error, undelivered);
      },
    });
    if (isAsked) this.#pauseEarly();
    this.#owed += undelivered.length;
    for (let dirty = undelivered.pop(); dirty !== undefined; dirty = undelivered.pop()) this.#keys.putBack(dirty);
  }

  #delivered(part: readonly Flight[]): void {
    this.#backoff.reset();
    this.#batchMax = Math.min(this.#policy.batchMax, this.#batchMax * 2);
    this.context.counters.rowsWritten += part.length;
    for (const flight of part) this.#settle(flight);
  }

  #settle({ dirty, epoch, seq }: Flight): void {
    const { memory } = this.context;
    const ref = memory.owns(dirty.partition) ? memory.peek(dirty.key) : 0;
    const isOurs = this.#isDirty(ref);
    if (isOurs && (memory.epoch(ref) !== epoch || memory.seq(ref) !== seq)) {
      this.#keys.requeue(dirty);
      return;
    }
    if (isOurs) memory.clean(dirty.key, epoch, seq);
    this.#forget(dirty);
  }

  #forget(dirty: DirtyKey): void {
    this.#keys.forget(dirty);
    this.#tellDone(dirty, undefined);
  }

  #tellDone(dirty: DirtyKey, refusal: LarderError | undefined): void {
    const { whenDone } = dirty;
    dirty.whenDone = undefined;
    whenDone?.(refusal);
  }

  /** `undelivered` collects, in order, what goes back to the front of the queue. */
  #failed(part: readonly Flight[], error: LarderError, undelivered: DirtyKey[]): void {
    this.context.counters.writeFailures += part.length;
    const refused = part.length === 1 && blamesRow(error);
    for (const { dirty } of part) {
      if (refused || dirty.backoff !== undefined) this.#refuse(dirty, error);
      else undelivered.push(dirty);
    }
    if (refused) return;
    this.#batchMax = Math.max(1, this.#batchMax >>> 1);
    this.#pausedUntilMs = this.context.clock.monotonicMs() + this.#backoff.nextMs();
  }

  /** Its value, or whatever else is wrong with the origin in the case of a row that was refused before. */
  #refuse(dirty: DirtyKey, error: LarderError): void {
    const { memory, clock } = this.context;
    if (!memory.owns(dirty.partition)) {
      this.#forget(dirty);
      return;
    }
    if (dirty.againSinceMs >= 0) {
      this.#keys.requeue(dirty);
      return;
    }
    const isRefusal = blamesRow(error);
    if (isRefusal) dirty.attempts++;
    dirty.backoff ??= this.#newBackoff(this.#policy.retryMsMax);
    const isGivenUp = isRefusal && dirty.attempts >= this.#policy.attemptsMax;
    const retryAtMs = isGivenUp ? Number.POSITIVE_INFINITY : clock.monotonicMs() + dirty.backoff.nextMs();
    this.#keys.refuse(dirty, isRefusal ? error : (dirty.refusal ?? error), retryAtMs);
    this.#tellDone(dirty, error);
  }

  #isDirty(ref: EntryRef): boolean {
    return ref !== 0 && (this.context.memory.flags(ref) & (EntryFlag.dirty | EntryFlag.tombstone)) !== 0;
  }

  #valueOf(ref: EntryRef): Uint8Array {
    const { memory } = this.context;
    const value = Buffer.allocUnsafe(memory.valueBytes(ref));
    memory.copyValue(ref, 0, value.length, value, 0);
    return value;
  }

  #ageMs(sinceMs: number): number {
    return sinceMs === Number.POSITIVE_INFINITY ? 0 : this.context.clock.monotonicMs() - sinceMs;
  }

  #newBackoff(maxMs: number): Backoff {
    return new Backoff({ firstMs: this.#policy.retryFirstMs, maxMs, jitter: 0.2 }, this.context.random);
  }

  #newOriginBackoff(): Backoff {
    return this.#newBackoff(Math.max(this.#policy.retryFirstMs, ORIGIN_PAUSE_MS_MAX));
  }

  #busy(message: string): LarderError {
    return new LarderError('BUSY', `cache '${this.context.name}': ${message}`, { outcome: 'not-applied' });
  }
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
/** While the origin is down: one statement a second is no burden, and a longer pause would hold writes back after its return. */
const ORIGIN_PAUSE_MS_MAX = 1_000;
/** For the other copies to acknowledge: several round trips. */
const EARLY_PAUSE_MS = 5;
