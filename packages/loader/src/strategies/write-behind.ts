import type { Random } from '@larder/base';
import type { KeySlice, LarderError } from '@larder/proto';
import { EntryFlag, type EntryRef, PutResult, RequestResult } from '../entry-memory.js';
import { Flusher } from '../flusher.js';
import { isHidden } from '../is-hidden.js';
import { keyText } from '../key-text.js';
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

  constructor(
    readonly context: OriginContext,
    random: Random,
  ) {
    const { name, policy, memory, origin, clock, counters } = context;
    this.#flusher = new Flusher({ name, policy: policy.writeBehind, memory, origin, clock, random, counters });
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

  set(key: KeySlice, value: Uint8Array, start: number, end: number, ttlMs: number, reply: Reply): void {
    const { memory, origin, life } = this.context;
    const text = keyText(key);
    const refusal =
      (text === undefined ? undefined : origin.check?.(text, value.subarray(start, end))) ??
      this.#put(text, key, value, start, end, life.lifeMs(ttlMs), EntryFlag.dirty);
    if (refusal === undefined) reply.written(memory.putEpoch, memory.putSeq, 1);
    else reply.failed(refusal);
  }

  delete(key: KeySlice, reply: Reply): void {
    const { memory } = this.context;
    const ref = memory.peek(key);
    const found = ref !== 0 && !isHidden(memory.flags(ref));
    memory.result = found ? RequestResult.done : RequestResult.notFound;
    const refusal = this.#put(keyText(key), key, NO_VALUE, 0, 0, 0, TOMBSTONE);
    if (refusal === undefined) reply.found(found);
    else reply.failed(refusal);
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

  /** Why it was not put into memory, if it was not. */
  #put(
    text: string | undefined,
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    ttlMs: number,
    flags: number,
  ): LarderError | undefined {
    const { name, memory, flights } = this.context;
    if (this.#closed) return closed(name);
    if (text === undefined) return notUtf8(name);
    const known = this.#flusher.find(text);
    const refusal = this.#flusher.refusal(known, key.end - key.start, end - start);
    if (refusal !== undefined) return refusal;
    const result = memory.put(key, value, start, end, ttlMs, flags);
    if (result !== PutResult.stored) return notStored(this.context, result, end - start, key.partition);
    flights.supersedeText(text);
    this.#flusher.markDirty(known, text, key, end - start);
    return undefined;
  }
}
