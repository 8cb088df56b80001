import { Backoff, type Clock, type Random, type Timer } from '@larder/base';
import { type KeySlice, LarderError } from '@larder/proto';
import { BatchRunner } from './batch-runner.js';
import { DirtyKey, DirtyList } from './dirty-keys.js';
import { EntryFlag, type EntryMemory, type EntryRef } from './entry-memory.js';
import type { LoaderCounters } from './loader-statistics.js';
import { blamesRow, type Origin } from './origins/origin.js';
import type { ResolvedWriteBehindPolicy } from './policy.js';
import { splitBatch } from './split-batch.js';

/**
 * Brings dirty entries from memory to the origin in batches.
 *
 *            markDirty               take                    origin has it
 *     (new) ----------> queued ---------------> flying ----------------------> (clean)
 *                       ^  ^                    |  |  | origin refuses the row
 *                       |  '--------------------'  |  '----> refused --back-off--> due --> flying
 *                       |    written again         |
 *                       '--------------------------' origin is down: to the front, everything pauses
 *
 * The queue holds keys; the value is read from memory when its flush begins, so that writes to one key coalesce. A key
 * has one flush in flight. It becomes clean only if the version that was flushed is still the current one. A flush
 * whose outcome is unknown is repeated: upserts and deletes may be. Nothing is ever dropped.
 */
export class Flusher {
  readonly #dirty = new Map<string, DirtyKey>();
  readonly #queued = new DirtyList();
  readonly #refused = new DirtyList();
  readonly #due = new DirtyList();
  readonly #flushes = new Set<readonly DirtyKey[]>();
  readonly #drains = new Set<Drain>();
  readonly #runner: BatchRunner;
  readonly #backoff: Backoff;
  /** Without a time trigger half of the allowed age is one, or a slow trickle would end in BUSY for good. */
  readonly #delayMs: number;
  /** So many at the front of the queue are due, because the queue had reached `flushSize` or because their flush failed. */
  #owed = 0;
  /** Halved by each failure of the origin and doubled by each success: what timed out as a large batch may pass as a small one. */
  #batchMax: number;
  #pausedUntilMs = 0;
  #order = 0;
  #pendingBytes = 0;
  #retrying = false;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(readonly options: FlusherOptions) {
    const { policy } = options;
    this.#delayMs = Math.min(policy.delayMs, policy.ageMsMax / 2);
    this.#backoff = this.#newBackoff();
    this.#batchMax = policy.batchMax;
    this.#runner = new BatchRunner(policy.statementsMax, () => this.#takeBatch());
  }

  get pending(): number {
    return this.#dirty.size;
  }

  /** Of all pending writes, refused ones included. */
  get oldestPendingMs(): number {
    let sinceMs = this.#oldestAcceptedSinceMs();
    for (const list of [this.#refused, this.#due]) {
      for (let dirty = list.first; dirty !== undefined; dirty = dirty.next) sinceMs = Math.min(sinceMs, dirty.sinceMs);
    }
    return this.#ageMs(sinceMs);
  }

  get refused(): number {
    return this.#refused.length + this.#due.length;
  }

  find(text: string): DirtyKey | undefined {
    return this.#dirty.get(text);
  }

  /** Why a write cannot be accepted now, if it cannot. `known` is what `find` said about its key. */
  refusal(known: DirtyKey | undefined, keyBytes: number, valueBytes: number): LarderError | undefined {
    const { pendingMax, pendingBytesMax, ageMsMax } = this.options.policy;
    if (known === undefined && this.#dirty.size >= pendingMax) {
      return this.#busy(`${this.#dirty.size} writes are pending, writeBehind.maxPending allows no more`);
    }
    const grownBytes = valueBytes + keyBytes - (known?.bytes ?? 0);
    if (grownBytes > 0 && this.#pendingBytes + grownBytes > pendingBytesMax) {
      return this.#busy(
        `${this.#pendingBytes} bytes are pending, writeBehind.maxPendingBytes allows ${pendingBytesMax}`,
      );
    }
    const ageMs = this.#ageMs(this.#oldestAcceptedSinceMs());
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
    if (known === undefined) this.#enqueueNew(text, key, valueBytes, nowMs);
    else this.#enqueueAgain(known, valueBytes, nowMs);
    this.#schedule(nowMs);
  }

  /** Flushes everything that is pending now; a refused row is tried once. Resolves with how many of them remain. */
  drain(timeoutMs: number): Promise<number> {
    const { clock } = this.options;
    for (let dirty = this.#refused.first; dirty !== undefined; dirty = this.#refused.first) this.#makeDue(dirty);
    return new Promise((resolve) => {
      const drain: Drain = {
        order: this.#order,
        resolve,
        timer: clock.after(timeoutMs, () => this.#endDrain(drain)).hold(),
      };
      this.#drains.add(drain);
      this.#endFinishedDrains();
      this.#schedule(clock.monotonicMs());
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const drain of this.#drains) this.#endDrain(drain);
  }

  #enqueueNew(text: string, key: KeySlice, valueBytes: number, nowMs: number): void {
    const dirty = new DirtyKey(text, key);
    dirty.valueBytes = valueBytes;
    dirty.sinceMs = nowMs;
    dirty.order = this.#order++;
    this.#dirty.set(text, dirty);
    this.#pendingBytes += dirty.bytes;
    this.#queued.pushBack(dirty);
  }

  #enqueueAgain(dirty: DirtyKey, valueBytes: number, nowMs: number): void {
    this.#pendingBytes += valueBytes - dirty.valueBytes;
    dirty.valueBytes = valueBytes;
    if (dirty.state === 'flying' && dirty.againSinceMs < 0) {
      dirty.againSinceMs = nowMs;
      dirty.againOrder = this.#order++;
      return;
    }
    this.options.counters.coalescedWrites++;
    if (dirty.state !== 'refused' && dirty.state !== 'due') return;
    (dirty.state === 'due' ? this.#due : this.#refused).remove(dirty);
    dirty.backoff = undefined;
    dirty.sinceMs = nowMs;
    dirty.order = this.#order++;
    dirty.state = 'queued';
    this.#queued.pushBack(dirty);
  }

  /** Of writes that the origin has not refused: a poison row must not close the cache for the others. */
  #oldestAcceptedSinceMs(): number {
    let sinceMs = this.#queued.first?.sinceMs ?? Number.POSITIVE_INFINITY;
    for (const [first] of this.#flushes) {
      if (first !== undefined && first.backoff === undefined) sinceMs = Math.min(sinceMs, first.sinceMs);
    }
    return sinceMs;
  }

  #ageMs(sinceMs: number): number {
    return sinceMs === Number.POSITIVE_INFINITY ? 0 : this.options.clock.monotonicMs() - sinceMs;
  }

  // When

  #schedule(nowMs: number): void {
    if (this.#closed) return;
    if (this.#hasWork(nowMs)) this.#runner.wake();
    const wakeAtMs = this.#nextWakeMs(nowMs);
    if (wakeAtMs >= this.#timerAtMs && this.#dirty.size > 0) return;
    this.#timer?.cancel();
    this.#timerAtMs = wakeAtMs;
    if (wakeAtMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.options.clock.after(wakeAtMs - nowMs, () => this.#ring());
  }

  #ring(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.options.clock.monotonicMs();
    for (let dirty = this.#refused.first; dirty !== undefined; ) {
      const { next } = dirty;
      if (dirty.retryAtMs <= nowMs) this.#makeDue(dirty);
      dirty = next;
    }
    this.#schedule(nowMs);
  }

  #hasWork(nowMs: number): boolean {
    return (
      nowMs >= this.#pausedUntilMs && (this.#queueIsDue(nowMs) || (this.#due.first !== undefined && !this.#retrying))
    );
  }

  #queueIsDue(nowMs: number): boolean {
    const { first, length } = this.#queued;
    if (first === undefined) return false;
    if (length >= this.options.policy.flushSize) this.#owed = length;
    return this.#owed > 0 || nowMs >= first.sinceMs + this.#delayMs || this.#drains.size > 0;
  }

  /** The next time that something becomes due; what is due already waits for a statement slot, not for a timer. */
  #nextWakeMs(nowMs: number): number {
    if (nowMs < this.#pausedUntilMs) return this.#pausedUntilMs;
    let wakeAtMs = Number.POSITIVE_INFINITY;
    const { first } = this.#queued;
    if (first !== undefined && first.sinceMs + this.#delayMs > nowMs) wakeAtMs = first.sinceMs + this.#delayMs;
    // One look at the refused rows per `retryFirst` at most.
    if (this.#refused.first !== undefined) wakeAtMs = Math.min(wakeAtMs, nowMs + this.options.policy.retryFirstMs);
    return wakeAtMs;
  }

  // What

  #takeBatch(): Promise<void> | undefined {
    const nowMs = this.options.clock.monotonicMs();
    if (this.#closed || nowMs < this.#pausedUntilMs) return undefined;
    const retry = this.#due.first;
    if (retry !== undefined && !this.#retrying) return this.#retry(retry);
    if (this.#queueIsDue(nowMs)) return this.#flush(this.#takeQueued());
    this.#schedule(nowMs);
    return undefined;
  }

  #takeQueued(): DirtyKey[] {
    const batch: DirtyKey[] = [];
    let bytes = 0;
    for (let dirty = this.#queued.first; dirty !== undefined; dirty = this.#queued.first) {
      bytes += dirty.bytes;
      if (batch.length === this.#batchMax || (bytes > BATCH_BYTES_MAX && batch.length > 0)) break;
      this.#queued.remove(dirty);
      batch.push(dirty);
    }
    this.#owed = Math.max(0, this.#owed - batch.length);
    return batch;
  }

  /** Refused rows go one by one, one at a time, so that they take nothing from the others. */
  async #retry(dirty: DirtyKey): Promise<void> {
    this.#due.remove(dirty);
    this.#retrying = true;
    await this.#flush([dirty]);
    this.#retrying = false;
  }

  async #flush(batch: readonly DirtyKey[]): Promise<void> {
    const { memory } = this.options;
    this.#flushes.add(batch);
    const sets: Flight[] = [];
    const deletes: Flight[] = [];
    for (const dirty of batch) {
      const ref = memory.peek(dirty.key);
      if (!this.#isDirty(ref)) this.#forget(dirty);
      else if ((memory.flags(ref) & EntryFlag.tombstone) !== 0) deletes.push(this.#takeOff(dirty, ref, NO_VALUE));
      else sets.push(this.#takeOff(dirty, ref, this.#valueOf(ref)));
    }
    await this.#send(sets, (part) => this.options.origin.writeMany(part));
    await this.#send(deletes, (part) => this.options.origin.deleteMany(part.map((flight) => flight.key)));
    this.#flushes.delete(batch);
    this.#endFinishedDrains();
    this.#schedule(this.options.clock.monotonicMs());
  }

  #takeOff(dirty: DirtyKey, ref: EntryRef, value: Uint8Array): Flight {
    dirty.state = 'flying';
    dirty.flyingEpoch = this.options.memory.epoch(ref);
    dirty.flyingSeq = this.options.memory.seq(ref);
    dirty.againSinceMs = -1;
    return { dirty, key: dirty.text, value };
  }

  async #send(flights: readonly Flight[], attempt: (part: readonly Flight[]) => Promise<unknown>): Promise<void> {
    if (flights.length === 0) return;
    const { counters } = this.options;
    const counted = (part: readonly Flight[]): Promise<unknown> => {
      counters.writeStatements++;
      return attempt(part);
    };
    const back: DirtyKey[] = [];
    await splitBatch(flights, 'unknown', counted, {
      done: (part) => this.#landed(part),
      failed: (part, error) => this.#failed(part, error, back),
    });
    for (let dirty = back.pop(); dirty !== undefined; dirty = back.pop()) this.#putBack(dirty);
  }

  #landed(part: readonly Flight[]): void {
    this.#backoff.reset();
    this.#batchMax = Math.min(this.options.policy.batchMax, this.#batchMax * 2);
    this.options.counters.rowsWritten += part.length;
    for (const { dirty } of part) this.#clean(dirty);
  }

  #clean(dirty: DirtyKey): void {
    const { memory } = this.options;
    dirty.backoff = undefined;
    const ref = memory.peek(dirty.key);
    const gone = !this.#isDirty(ref);
    if (!gone && (memory.epoch(ref) !== dirty.flyingEpoch || memory.seq(ref) !== dirty.flyingSeq)) {
      this.#requeue(dirty);
      return;
    }
    this.#forget(dirty);
    if (gone) return;
    const flags = memory.flags(ref);
    if ((flags & EntryFlag.tombstone) !== 0) memory.remove(dirty.key);
    else memory.setFlags(ref, flags & ~EntryFlag.dirty);
  }

  /** `back` collects, in order, what goes back to the front of the queue. */
  #failed(part: readonly Flight[], error: LarderError, back: DirtyKey[]): void {
    this.options.counters.writeFailures += part.length;
    const refused = part.length === 1 && blamesRow(error);
    for (const { dirty } of part) {
      if (refused || dirty.backoff !== undefined) this.#refuse(dirty, error);
      else back.push(dirty);
    }
    if (refused) return;
    this.#batchMax = Math.max(1, this.#batchMax >>> 1);
    this.#pausedUntilMs = this.options.clock.monotonicMs() + this.#backoff.nextMs();
  }

  #refuse(dirty: DirtyKey, error: LarderError): void {
    if (dirty.againSinceMs >= 0) {
      this.#requeue(dirty);
      return;
    }
    dirty.backoff ??= this.#newBackoff();
    dirty.retryAtMs = this.options.clock.monotonicMs() + dirty.backoff.nextMs();
    dirty.refusal = error;
    dirty.state = 'refused';
    this.#refused.pushBack(dirty);
  }

  /** Its age goes on counting, so it goes first again. */
  #putBack(dirty: DirtyKey): void {
    dirty.state = 'queued';
    this.#queued.pushFront(dirty);
    this.#owed++;
  }

  #makeDue(dirty: DirtyKey): void {
    this.#refused.remove(dirty);
    dirty.state = 'due';
    this.#due.pushBack(dirty);
  }

  /** It was written again while it was in flight. */
  #requeue(dirty: DirtyKey): void {
    if (dirty.againSinceMs >= 0) {
      dirty.sinceMs = dirty.againSinceMs;
      dirty.order = dirty.againOrder;
      dirty.againSinceMs = -1;
    }
    dirty.backoff = undefined;
    dirty.state = 'queued';
    this.#queued.pushBack(dirty);
  }

  #forget(dirty: DirtyKey): void {
    this.#dirty.delete(dirty.text);
    this.#pendingBytes -= dirty.bytes;
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

  // Drains

  #endFinishedDrains(): void {
    for (const drain of this.#drains) {
      if (this.#remaining(drain, (dirty) => dirty.state !== 'refused') === 0) this.#endDrain(drain);
    }
  }

  #endDrain(drain: Drain): void {
    this.#drains.delete(drain);
    drain.timer.cancel();
    drain.resolve(this.#remaining(drain, () => true));
  }

  #remaining(drain: Drain, counts: (dirty: DirtyKey) => boolean): number {
    let remaining = 0;
    for (const dirty of this.#dirty.values()) if (dirty.order < drain.order && counts(dirty)) remaining++;
    return remaining;
  }

  #newBackoff(): Backoff {
    const { policy, random } = this.options;
    return new Backoff({ firstMs: policy.retryFirstMs, maxMs: policy.retryMsMax, jitter: 0.2 }, random);
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

/** A row on its way to the origin. */
interface Flight {
  readonly dirty: DirtyKey;
  readonly key: string;
  readonly value: Uint8Array;
}

interface Drain {
  /** Keys that became dirty before this are waited for. */
  readonly order: number;
  readonly timer: Timer;
  resolve(remaining: number): void;
}

const NO_VALUE = new Uint8Array(0);
/** Bounds the copies that a statement makes of its values; PostgreSQL takes at most 1 GiB in a message. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024;
