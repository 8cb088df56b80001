import type { KeySlice, LarderError } from '@larder/proto';
import type { DeadLetter } from '../dead-letters.js';
import { EntryFlag, type EntryRef, PutResult, RequestResult } from '../entry-memory.js';
import { Flusher } from '../flusher.js';
import { isSeen } from '../is-hidden.js';
import { keyText } from '../key-text.js';
import { namedError } from '../named-error.js';
import type { Reply } from '../reply.js';
import { closed, notUtf8 } from './queued-writes.js';
import type { OriginContext, WriteStrategy } from './strategy.js';
import { notStored } from './write-memory.js';

const NO_VALUE = new Uint8Array(0);
const TOMBSTONE = EntryFlag.dirty | EntryFlag.tombstone;

/**
 * Acknowledged when the memory has it; the origin follows in batches. A dirty entry is pinned, so reads never meet a
 * key that is in neither place; a delete is a dirty tombstone, so reads do not bring the old row back.
 */
export class WriteBehind implements WriteStrategy {
  readonly #flusher: Flusher;
  #closed = false;

  /** `spill` takes the writes for which there is no room, if the policy wants that. */
  constructor(
    readonly context: OriginContext,
    readonly spill: Pick<WriteStrategy, 'set' | 'delete'>,
  ) {
    this.#flusher = new Flusher(context);
  }

  get pendingWrites(): number {
    return this.#flusher.pending;
  }

  get oldestPendingMs(): number {
    return this.#flusher.oldestPendingMs;
  }

  get refusedRows(): number {
    return this.#flusher.refused;
  }

  set(
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    ttlMs: number,
    reply: Reply,
    timeoutMs: number,
  ): void {
    const { memory, life } = this.context;
    const text = keyText(key);
    const refusal =
      this.#mistake(text, value.subarray(start, end)) ??
      this.#put(text, key, value, start, end, life.lifeMs(ttlMs), EntryFlag.dirty, RequestResult.done);
    if (refusal === undefined) reply.written(memory.putEpoch, memory.putSeq, 1);
    else if (this.#spills(refusal)) this.spill.set(key, value, start, end, ttlMs, reply, timeoutMs);
    else reply.failed(refusal);
  }

  #mistake(text: string | undefined, value: Uint8Array): LarderError | undefined {
    const mistake = text === undefined ? undefined : this.context.origin.check?.(text, value);
    return mistake && namedError(mistake, this.context.name, text!);
  }

  delete(key: KeySlice, reply: Reply, timeoutMs: number): void {
    const { memory } = this.context;
    const ref = memory.peek(key);
    const found = isSeen(memory, ref);
    const result = found ? RequestResult.done : RequestResult.notFound;
    const refusal = this.#put(keyText(key), key, NO_VALUE, 0, 0, 0, TOMBSTONE, result);
    if (refusal === undefined) reply.found(found);
    else if (this.#spills(refusal)) this.spill.delete(key, reply, timeoutMs);
    else reply.failed(refusal);
  }

  holds(text: string): boolean {
    return this.#flusher.find(text) !== undefined;
  }

  whenDone(text: string, done: (refusal: LarderError | undefined) => void): void {
    this.#flusher.whenDone(this.#flusher.find(text)!, done);
  }

  lookAgain(): void {
    this.#flusher.lookAgain();
  }

  disown(partition: number): void {
    this.#flusher.deadLetters.disown(partition);
  }

  policyChanged(): void {
    this.#flusher.policyChanged();
  }

  get givenUpRows(): number {
    return this.#flusher.deadLetters.givenUp;
  }

  deadLetters(limit: number): DeadLetter[] {
    return this.#flusher.deadLetters.list(limit);
  }

  retryDeadLetter(text: string): boolean {
    return this.#flusher.deadLetters.retry(text);
  }

  discardDeadLetter(text: string): boolean {
    return this.#flusher.deadLetters.discard(text);
  }

  adopt(key: KeySlice, ref: EntryRef): void {
    const { memory } = this.context;
    const text = (memory.flags(ref) & EntryFlag.dirty) === 0 ? undefined : keyText(key);
    if (text !== undefined) this.#flusher.adopt(text, key, memory.valueBytes(ref));
  }

  drain(timeoutMs: number): Promise<number> {
    return this.#flusher.drain(timeoutMs);
  }

  close(): void {
    this.#closed = true;
    this.#flusher.close();
  }

  /** There is no room, here or in memory, before something is flushed. */
  #spills({ code }: LarderError): boolean {
    const { policy, counters } = this.context;
    if (policy.writeBehind.whenFull !== 'through' || (code !== 'BUSY' && code !== 'OUT_OF_MEMORY')) return false;
    counters.spilledWrites++;
    return true;
  }

  /** Why it was not put into memory, if it was not. */
  #put(
    text: string | undefined,
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    ttlMs: number,
    flags: number,
    requestResult: RequestResult,
  ): LarderError | undefined {
    const { name, memory, flights } = this.context;
    const { request } = memory;
    if (this.#closed) return closed(name);
    if (text === undefined) return notUtf8(name);
    const known = this.#flusher.find(text);
    const refusal = this.#flusher.refusal(known, key.end - key.start, end - start);
    if (refusal !== undefined) return refusal;
    memory.result = requestResult;
    const result = memory.put(key, value, start, end, ttlMs, flags);
    if (result !== PutResult.stored) {
      memory.request = request;
      return notStored(this.context, result, end - start, key.partition);
    }
    flights.supersedeText(text);
    this.#flusher.markDirty(known, text, key, end - start);
    return undefined;
  }
}
