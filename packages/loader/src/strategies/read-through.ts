import { type KeySlice, LarderError, TTL_DEFAULT } from '@larder/proto';
import { EntryFlag } from '../entry-memory.js';
import { isHidden } from '../is-hidden.js';
import { keyText } from '../key-text.js';
import { MissBatcher } from '../miss-batcher.js';
import { MissCause } from '../miss-cause.js';
import type { Reply } from '../reply.js';
import { Flight } from '../single-flight.js';
import { splitBatch } from '../split-batch.js';
import type { OriginContext } from './strategy.js';

const NO_VALUE = new Uint8Array(0);

/**
 * Answers misses from the origin: one load per key however many wait for it, loads of one moment in one statement, and
 * what was loaded is stored unless the key has been written meanwhile.
 */
export class ReadThrough {
  readonly #batcher: MissBatcher;
  readonly #closing = new AbortController();
  #waiting = 0;

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

  load(key: KeySlice, reply: Reply, timeoutMs: number): void {
    const text = keyText(key);
    const refusal = this.#refusal();
    if (text === undefined) reply.miss();
    else if (refusal !== undefined) reply.failed(refusal);
    else this.#wait(text, key, reply.later(), this.context.clock.monotonicMs() + timeoutMs);
  }

  close(): void {
    this.#closing.abort();
    for (const flight of this.#batcher.clear()) this.#fail(flight, this.#closedError());
  }

  #refusal(): LarderError | undefined {
    if (this.#closing.signal.aborted) return this.#closedError();
    return this.#waiting >= this.context.policy.loads.waitingMax ? this.#busyError() : undefined;
  }

  #wait(text: string, key: KeySlice, reply: Reply, deadlineMs: number): void {
    const { flights, counters } = this.context;
    this.#waiting++;
    const current = flights.current(text);
    const flight = current ?? new Flight(text, key.partition);
    flight.join(reply, deadlineMs);
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
    const { origin, counters } = this.context;
    counters.loads += flights.length;
    await splitBatch(
      flights,
      undefined,
      (part) => {
        counters.readStatements++;
        return origin.loadMany(
          part.map((flight) => flight.text),
          this.#closing.signal,
        );
      },
      {
        done: (part, values) => {
          this.#observe(values);
          for (const [index, flight] of part.entries()) this.#loaded(flight, values[index]);
        },
        failed: (part, error) => {
          counters.loadFailures += part.length;
          for (const flight of part) {
            this.context.memory.noteMissCause(flight.key, MissCause.loadFailed);
            this.#fail(flight, error);
          }
        },
      },
    );
  }

  /** Without those that memory can answer by now, and those that nobody waits for any more. */
  #stillWanted(queued: readonly Flight[]): Flight[] {
    const { clock, memory, unsure } = this.context;
    const nowMs = clock.monotonicMs();
    return queued.filter((flight) => {
      if (!memory.serves(flight.partition)) this.#fail(flight, memory.refusal(flight.partition));
      else if (flight.superseded && memory.peek(flight.key) !== 0) this.#answer(flight, undefined);
      else if (flight.deadlineMs < nowMs) this.#fail(flight, this.#timeoutError());
      else {
        // A statement that ends while this one runs may still change the row that it has read.
        flight.isUnsure = unsure.has(flight.text, flight.partition);
        return true;
      }
      return false;
    });
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
    const { memory } = this.context;
    if (!memory.serves(flight.partition)) {
      this.#fail(flight, memory.refusal(flight.partition));
      return;
    }
    memory.request = undefined;
    // Whoever writes the memory supersedes the flight, so one that still reigns finds the key as it left it: absent.
    const isUnsure = flight.isUnsure || this.context.unsure.has(flight.text, flight.partition);
    if (!flight.superseded && !isUnsure) this.#fill(flight.key, value);
    this.#answer(flight, value);
  }

  #fill(key: KeySlice, value: Uint8Array | undefined): void {
    const { memory, life, policy } = this.context;
    if (value !== undefined) memory.put(key, value, 0, value.length, life.lifeMs(TTL_DEFAULT), 0);
    else if (policy.negativeTtlMs > 0) memory.put(key, NO_VALUE, 0, 0, policy.negativeTtlMs, EntryFlag.negative);
    else memory.noteMissCause(key, MissCause.cold);
  }

  /** From memory if it has the key, because that is at least as new as what was loaded. */
  #answer(flight: Flight, value: Uint8Array | undefined): void {
    this.#end(flight);
    const { memory } = this.context;
    for (const reply of flight.waiters) {
      const ref = memory.peek(flight.key);
      if (ref !== 0 && !isHidden(memory.flags(ref))) reply.entry(ref);
      else if (ref !== 0 || value === undefined) reply.miss();
      else reply.value(value, false);
    }
  }

  #fail(flight: Flight, error: LarderError): void {
    this.#end(flight);
    for (const reply of flight.waiters) reply.failed(error);
  }

  #end(flight: Flight): void {
    this.context.flights.end(flight);
    this.#waiting -= flight.waiters.length;
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
