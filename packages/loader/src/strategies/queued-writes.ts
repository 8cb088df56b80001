import { deferred } from '@larder/base';
import { type KeySlice, LarderError } from '@larder/proto';
import { type RequestId, RequestResult } from '../entry-memory.js';
import { keyText, valueCopy } from '../key-text.js';
import { namedError } from '../named-error.js';
import type { Reply } from '../reply.js';
import { PendingWrite, WriteQueue } from '../write-queue.js';
import type { OriginContext, WriteStrategy } from './strategy.js';

/** What write-through and write-around share: callers wait for the origin, then the memory follows it. */
export abstract class QueuedWrites implements WriteStrategy {
  readonly refusedRows = 0;
  readonly #queue: WriteQueue;
  #closed = false;

  constructor(readonly context: OriginContext) {
    this.#queue = new WriteQueue({
      context,
      applied: (write, changed) => this.applied(write, changed),
      failed: (write, error) => this.#failed(write, error),
    });
  }

  /** The origin has it: let the memory follow, and answer. */
  protected abstract applied(write: PendingWrite, changed: boolean): void;

  get pendingWrites(): number {
    return this.#queue.pending;
  }

  get oldestPendingMs(): number {
    return this.#queue.oldestPendingMs;
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
    const text = keyText(key);
    const copy = valueCopy(value, start, end);
    const refusal = this.#refusal(text, key.end - key.start + copy.length) ?? this.#mistake(text, copy);
    if (refusal === undefined) this.#add(text as string, key, copy, ttlMs, reply, timeoutMs);
    else reply.failed(refusal);
  }

  delete(key: KeySlice, reply: Reply, timeoutMs: number): void {
    const text = keyText(key);
    const refusal = this.#refusal(text, key.end - key.start);
    if (refusal === undefined) this.#add(text as string, key, undefined, 0, reply, timeoutMs);
    else reply.failed(refusal);
  }

  join(request: RequestId, reply: Reply): boolean {
    return this.#queue.join(request, reply);
  }

  holds(text: string): boolean {
    return this.#queue.holds(text);
  }

  whenDone(text: string, done: (refusal: LarderError | undefined) => void): void {
    this.#queue.whenDone(text, () => done(undefined));
  }

  lookAgain(): void {
    this.#queue.lookAgain();
  }

  failShut(error: LarderError): void {
    this.#queue.failShut(error);
  }

  async drain(timeoutMs: number): Promise<number> {
    const timeout = deferred();
    const timer = this.context.clock.after(timeoutMs, timeout.resolve).hold();
    await Promise.race([this.#queue.whenIdle(), timeout.promise]);
    timer.cancel();
    return this.#queue.pending;
  }

  close(): void {
    this.#closed = true;
    this.#queue.close(closed(this.context.name));
  }

  /** Removes the key from memory, and sees to it that no load that has begun brings an old value back. */
  protected forget(write: PendingWrite, result: RequestResult = RequestResult.done): void {
    const { flights, memory } = this.context;
    flights.supersedeText(write.text);
    if (!memory.owns(write.partition)) return;
    memory.request = write.request;
    memory.result = result;
    memory.remove(write.key);
  }

  #add(
    text: string,
    key: KeySlice,
    value: Uint8Array | undefined,
    ttlMs: number,
    reply: Reply,
    timeoutMs: number,
  ): void {
    const deadlineMs = this.context.clock.monotonicMs() + timeoutMs;
    const { memory, invalidations } = this.context;
    const { request, tags } = memory;
    memory.request = undefined;
    memory.tags = undefined;
    const write = new PendingWrite(text, key, value, ttlMs, reply.later(), deadlineMs, request);
    write.tags = tags;
    write.invalidationOrder = invalidations.order;
    this.#queue.add(write);
  }

  #refusal(text: string | undefined, bytes: number): LarderError | undefined {
    if (this.#closed) return closed(this.context.name);
    return text === undefined ? notUtf8(this.context.name) : this.#queue.refusal(bytes);
  }

  #mistake(text: string | undefined, value: Uint8Array): LarderError | undefined {
    const mistake = text === undefined ? undefined : this.context.origin.check?.(text, value);
    return mistake && namedError(mistake, this.context.name, text!);
  }

  #failed(write: PendingWrite, error: LarderError): void {
    const { memory, unsure } = this.context;
    if (error.outcome === 'unknown') {
      this.forget(write, RequestResult.begun);
      unsure.add(write.text);
      write.isUnsure = true;
    } else if (write.hold !== undefined && memory.owns(write.partition)) {
      memory.request = write.request;
      memory.restore(write.key);
    }
    write.failed(error);
  }
}

export function notUtf8(name: string): LarderError {
  const message = `cache '${name}' has an origin, so its keys must be UTF-8; this one is not`;
  return new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}

export function closed(name: string): LarderError {
  return new LarderError('CLOSED', `cache '${name}' is closed`, { outcome: 'not-applied' });
}
