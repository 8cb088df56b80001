import { type KeySlice, LarderError, TTL_DEFAULT } from '@larder/proto';
import { EntryFlag, PutResult } from '../entry-memory.js';
import { isHidden, isOver, isSeen } from '../is-hidden.js';
import { keyText } from '../key-text.js';
import { MissBatcher } from '../miss-batcher.js';
import { MissCause } from '../miss-cause.js';
import { namedError } from '../named-error.js';
import type { CopiedEntry, Reply } from '../reply.js';
import { Flight } from '../single-flight.js';
import { splitBatch } from '../split-batch.js';
import type { OriginContext } from './strategy.js';

const NO_VALUE = new Uint8Array(0);
/** What the origin does not have yet. */
const NEWER = EntryFlag.dirty | EntryFlag.tombstone;
/** Loads in the background, of one cache, that have not ended. A refresh above it is skipped, and the entry lives on. */
export const REFRESHES_MAX = 256;
/** A refresh that has not been sent after this is not sent any more. */
const REFRESH_WAIT_MS = 5_000;
/** After a refresh has failed there are none for so long: each hit would begin another one. */
const REFRESH_PAUSE_MS = 1_000;
/** Share of the newest statement in the mean time of loads. */
const MEAN_SHARE = 0.2;

/**
 * Answers misses from the origin: one load per key however many wait for it, loads of one moment in one statement, and
 * what was loaded is stored unless the key has been written meanwhile. While the origin is away an entry whose life is
 * over, and that is still kept, is the answer.
 */
export class ReadThrough {
  /** Mean time of a statement; 0: there was none yet. */
  loadMs = 0;
  readonly #batcher: MissBatcher;
  readonly #closing = new AbortController();
  #waiting = 0;
  #refreshes = 0;
  #refreshesAfterMs = Number.NEGATIVE_INFINITY;

  constructor(readonly context: OriginContext) {
    this.#batcher = new MissBatcher(
      () => context.policy.loads,
      context.clock,
      (flights) => this.#loadBatch(flights),
    );
  }

  /** Gets that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Joins the load of the key that is under way. */
  load(key: KeySlice, reply: Reply, timeoutMs: number): void {
    this.#load(key, reply, timeoutMs, false);
  }

  /** The same, but a load that the origin may have answered already is not joined, and what memory has is no answer. */
  loadFresh(key: KeySlice, reply: Reply, timeoutMs: number): void {
    this.#load(key, reply, timeoutMs, true);
  }

  /** Loads the key in the background, unless that is being done, or too much is. What it brings replaces what is there. */
  refresh(text: string, partition: number): void {
    const { flights, clock, counters, invalidations } = this.context;
    const nowMs = clock.monotonicMs();
    if (this.#closing.signal.aborted || nowMs < this.#refreshesAfterMs || flights.current(text) !== undefined) return;
    if (this.#refreshes >= REFRESHES_MAX) {
      counters.refreshesSkipped++;
      return;
    }
    const flight = new Flight(text, partition, invalidations.order);
    flight.isRefresh = true;
    flight.deadlineMs = nowMs + REFRESH_WAIT_MS;
    this.#refreshes++;
    counters.refreshes++;
    flights.begin(flight);
    this.#batcher.add(flight);
  }

  close(): void {
    this.#closing.abort();
    for (const flight of this.#batcher.clear()) this.#fail(flight, this.#closedError());
  }

  #load(key: KeySlice, reply: Reply, timeoutMs: number, isFresh: boolean): void {
    const text = keyText(key);
    const refusal = this.#refusal();
    if (text === undefined) reply.miss();
    else if (refusal !== undefined) reply.failed(refusal);
    else this.#wait(text, key, reply.later(), this.context.clock.monotonicMs() + timeoutMs, isFresh);
  }

  #refusal(): LarderError | undefined {
    if (this.#closing.signal.aborted) return this.#closedError();
    return this.#waiting >= this.context.policy.loads.waitingMax ? this.#busyError() : undefined;
  }

  #wait(text: string, key: KeySlice, reply: Reply, deadlineMs: number, isFresh: boolean): void {
    const { flights, counters, invalidations } = this.context;
    this.#waiting++;
    let current = flights.current(text);
    if (isFresh && current?.hasLeft) {
      flights.overtake(current);
      current = undefined;
    }
    const flight = current ?? new Flight(text, key.partition, invalidations.order);
    flight.join(reply, deadlineMs, isFresh);
    if (current !== undefined) {
      counters.coalescedWaiters++;
      return;
    }
    flights.begin(flight);
    this.#batcher.add(flight);
  }

  async #loadBatch(queued: readonly Flight[]): Promise<void> {
    const flights = this.#stillWanted(queued);
    if (flights.length === 0) return;
    const { origin, counters, clock } = this.context;
    counters.loads += flights.length;
    await splitBatch(
      flights,
      undefined,
      async (part) => {
        counters.readStatements++;
        const texts = part.map((flight) => flight.text);
        const startMs = clock.monotonicMs();
        const values = await origin.loadMany(texts, this.#closing.signal);
        this.#took(clock.monotonicMs() - startMs);
        return values;
      },
      {
        done: (part, values) => {
          this.#observe(values);
          for (const [index, flight] of part.entries()) this.#loaded(flight, values[index]);
        },
        failed: (part, error) => {
          counters.loadFailures += part.length;
          for (const flight of part) this.#failed(flight, error);
        },
      },
    );
  }

  /** Without those that memory can answer by now, and those that nobody waits for any more. */
  #stillWanted(queued: readonly Flight[]): Flight[] {
    const { clock, memory, unsure } = this.context;
    const nowMs = clock.monotonicMs();
    return queued.filter((flight) => {
      flight.hasLeft = true;
      if (!memory.serves(flight.partition)) this.#fail(flight, memory.refusal(flight.partition));
      else if (flight.superseded && this.#isAnswerable(flight)) this.#answer(flight, undefined);
      else if (flight.deadlineMs < nowMs) this.#fail(flight, this.#timeoutError());
      else {
        // A statement that ends while this one runs may still change the row that it has read.
        flight.isUnsure = unsure.has(flight.text, flight.partition);
        return true;
      }
      return false;
    });
  }

  #isAnswerable({ key }: Flight): boolean {
    const { memory } = this.context;
    const ref = memory.peek(key);
    return ref !== 0 && !isOver(memory, ref);
  }

  #took(ms: number): void {
    this.loadMs = this.loadMs === 0 ? ms : this.loadMs + (ms - this.loadMs) * MEAN_SHARE;
  }

  #observe(values: readonly (Uint8Array | undefined)[]): void {
    let found = 0;
    let bytes = 0;
    for (const value of values) {
      if (value === undefined) continue;
      found++;
      bytes += value.length;
    }
    this.context.counters.loadsFound += found;
    this.#batcher.observe(found, bytes);
  }

  #loaded(flight: Flight, value: Uint8Array | undefined): void {
    const { memory, unsure } = this.context;
    if (!memory.serves(flight.partition)) {
      this.#fail(flight, memory.refusal(flight.partition));
      return;
    }
    memory.request = undefined;
    // Whoever writes the memory supersedes the flight, so one that still reigns finds the key as it left it.
    if (flight.superseded || this.#isNewer(flight.key)) {
      this.#answer(flight, value);
    } else if (flight.overtaken || flight.isUnsure || unsure.has(flight.text, flight.partition)) {
      this.#answerLoaded(flight, value);
    } else if (this.#fill(flight, value)) {
      this.#answer(flight, value);
    } else {
      this.#answerLoaded(flight, value);
    }
  }

  #isNewer(key: KeySlice): boolean {
    const { memory } = this.context;
    const ref = memory.peek(key);
    return ref !== 0 && (memory.flags(ref) & NEWER) !== 0;
  }

  /** False: it was invalidated on its way, and memory is as before. */
  #fill({ key, invalidationOrder }: Flight, value: Uint8Array | undefined): boolean {
    const { memory, life, policy, invalidations, valueTags } = this.context;
    const tags = value && valueTags.of(value, 0, value.length);
    if (invalidations.concerns(invalidationOrder, tags)) return false;
    let stored = false;
    memory.tags = tags;
    if (value !== undefined) {
      stored = memory.put(key, value, 0, value.length, life.lifeMs(TTL_DEFAULT), 0) === PutResult.stored;
    } else if (policy.negativeTtlMs > 0) {
      stored = memory.put(key, NO_VALUE, 0, 0, policy.negativeTtlMs, EntryFlag.negative) === PutResult.stored;
    } else {
      memory.noteMissCause(key, MissCause.cold);
    }
    memory.tags = undefined;
    // What was there, refreshed or kept beyond its life, is older.
    if (!stored && memory.peek(key) !== 0) memory.remove(key);
    return true;
  }

  /** From memory if it has the key, because that is at least as new as what was loaded. */
  #answer(flight: Flight, value: Uint8Array | undefined): void {
    this.#end(flight);
    const { memory } = this.context;
    for (const reply of flight.everybody()) {
      const ref = memory.peek(flight.key);
      if (isSeen(memory, ref)) reply.entry(ref);
      else if ((ref !== 0 && !isOver(memory, ref)) || value === undefined) reply.miss();
      else reply.value(value, false);
    }
  }

  /** Not from memory, which must not follow, or is about to be told something newer. */
  #answerLoaded(flight: Flight, value: Uint8Array | undefined): void {
    this.#end(flight);
    for (const reply of flight.everybody()) {
      if (value === undefined) reply.miss();
      else reply.value(value, false);
    }
  }

  /** Who did not ask for a fresh value gets what memory has, even beyond its life, if the origin is away. */
  #failed(flight: Flight, error: LarderError): void {
    const { clock, memory, counters } = this.context;
    if (flight.isRefresh) this.#refreshesAfterMs = clock.monotonicMs() + REFRESH_PAUSE_MS;
    const kept = error.code === 'ORIGIN_UNAVAILABLE' ? this.#kept(flight) : undefined;
    if (kept === undefined) {
      if (memory.peek(flight.key) === 0) memory.noteMissCause(flight.key, MissCause.loadFailed);
      this.#fail(flight, namedError(error, this.context.name, flight.text));
      return;
    }
    this.#end(flight);
    if (kept.stale) counters.staleServed += flight.waiters.length;
    for (const reply of flight.waiters) reply.copied(kept);
    if (flight.fresh.length === 0) return;
    const named = namedError(error, this.context.name, flight.text);
    for (const reply of flight.fresh) reply.failed(named);
  }

  #kept({ key, partition }: Flight): CopiedEntry | undefined {
    const { memory } = this.context;
    const ref = memory.serves(partition) ? memory.peek(key) : 0;
    if (ref === 0 || isHidden(memory.flags(ref))) return undefined;
    const bytes = Buffer.allocUnsafe(memory.valueBytes(ref));
    memory.copyValue(ref, 0, bytes.length, bytes, 0);
    const remainingMs = memory.remainingMs(ref);
    return { bytes, epoch: memory.epoch(ref), seq: memory.seq(ref), remainingMs, stale: remainingMs === 0 };
  }

  #fail(flight: Flight, error: LarderError): void {
    this.#end(flight);
    for (const reply of flight.everybody()) reply.failed(error);
  }

  #end(flight: Flight): void {
    this.context.flights.end(flight);
    this.#waiting -= flight.count;
    if (flight.isRefresh) this.#refreshes--;
  }

  #busyError(): LarderError {
    const { name, policy } = this.context;
    const { waitingMax } = policy.loads;
    return new LarderError(
      'BUSY',
      `cache '${name}': ${waitingMax} gets wait for the origin, loads.maxWaiting allows no more`,
    );
  }

  #timeoutError(): LarderError {
    return new LarderError('TIMEOUT', `cache '${this.context.name}': the origin was too busy to be asked in time`);
  }

  #closedError(): LarderError {
    return new LarderError('CLOSED', `cache '${this.context.name}' is closed`);
  }
}
