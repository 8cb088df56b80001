import type { Timer } from '@larder/base';
import { type KeySlice, LarderError } from '@larder/proto';
import type { RequestId } from '../entry-memory.js';
import { keyText, sharedKey, valueCopy } from '../key-text.js';
import { RepeatedReply } from '../repeated-reply.js';
import type { Reply } from '../reply.js';
import type { TagHashes } from '../tags/tag-hashes.js';
import { requestText } from '../write-queue.js';
import type { StrategyContext, WriteStrategy } from './strategy.js';

/**
 * Writes whose key is still with another strategy: one was written behind and a call wants write-through, or the policy
 * has changed. They wait in the order in which they came, one key apart from the other, until the key is free:
 *
 *   1. a write finds its key with another strategy, which is asked to bring the key to its end soon (a flush);
 *   2. every later write of the key waits behind it, whatever it wants, so that their order is kept;
 *   3. the key is free: the first is handed in, then the next, for which the same holds.
 *
 * Bounded like other writes that wait for the origin, by `writes.maxPending` and `writes.maxPendingBytes`.
 */
export class WaitingWrites {
  readonly #chains = new Map<string, WaitingWrite[]>();
  readonly #byRequest = new Map<string, WaitingWrite>();
  #count = 0;
  #bytes = 0;

  constructor(
    readonly context: StrategyContext,
    /** The strategy that has an earlier write of the key, if it is another one. */
    readonly otherWith: (text: string, strategy: WriteStrategy) => WriteStrategy | undefined,
  ) {}

  get count(): number {
    return this.#count;
  }

  get oldestMs(): number {
    let sinceMs = Number.POSITIVE_INFINITY;
    for (const [first] of this.#chains.values()) sinceMs = Math.min(sinceMs, first?.sinceMs ?? sinceMs);
    return sinceMs === Number.POSITIVE_INFINITY ? 0 : this.context.clock.monotonicMs() - sinceMs;
  }

  has(text: string): boolean {
    return this.#chains.has(text);
  }

  /** `value` undefined: a delete. */
  add(
    strategy: WriteStrategy,
    key: KeySlice,
    value: Uint8Array | undefined,
    ttlMs: number,
    reply: Reply,
    timeoutMs: number,
  ): void {
    const { memory, clock } = this.context;
    const text = keyText(key)!;
    const bytes = key.end - key.start + (value?.length ?? 0);
    const refusal = this.#refusal(bytes);
    if (refusal !== undefined) {
      reply.failed(refusal);
      return;
    }
    const sinceMs = clock.monotonicMs();
    const write: WaitingWrite = {
      strategy,
      text,
      partition: key.partition,
      value: value && valueCopy(value, 0, value.length),
      bytes,
      ttlMs,
      replies: [reply.later()],
      sinceMs,
      deadlineMs: sinceMs + timeoutMs,
      request: memory.request,
      tags: memory.tags,
      timer: clock.after(timeoutMs, () => this.#timedOut(write)),
    };
    memory.request = undefined;
    this.#count++;
    this.#bytes += bytes;
    if (write.request !== undefined) this.#byRequest.set(requestText(write.request), write);
    const chain = this.#chains.get(text);
    if (chain !== undefined) {
      chain.push(write);
      return;
    }
    this.#chains.set(text, [write]);
    this.#advance(text);
  }

  join(request: RequestId, reply: Reply): boolean {
    const write = this.#byRequest.get(requestText(request));
    write?.replies.push(reply.later());
    return write !== undefined;
  }

  close(): void {
    const message = `cache '${this.context.name}' is closed`;
    for (const chain of this.#chains.values()) {
      for (const write of chain) this.#fail(write, new LarderError('CLOSED', message, { outcome: 'not-applied' }));
    }
    this.#chains.clear();
  }

  /** Hands in what can be handed in; the rest is called for when its key is free. */
  #advance(text: string): void {
    const chain = this.#chains.get(text);
    if (chain === undefined) return;
    for (let write = chain[0]; write !== undefined; write = chain[0]) {
      const other = this.otherWith(text, write.strategy);
      if (other !== undefined) {
        other.whenDone(text, (refusal) => this.#freed(text, refusal));
        return;
      }
      chain.shift();
      this.#handIn(write);
    }
    this.#chains.delete(text);
  }

  #freed(text: string, refusal: LarderError | undefined): void {
    const chain = this.#chains.get(text);
    if (chain === undefined) return;
    if (refusal !== undefined) {
      for (const write of chain.splice(0)) this.#fail(write, this.#refusedBefore(refusal));
    }
    this.#advance(text);
  }

  #handIn(write: WaitingWrite): void {
    const { memory, clock } = this.context;
    this.#forget(write);
    const reply = new RepeatedReply(write.replies);
    if (!memory.serves(write.partition)) {
      reply.failed(memory.refusal(write.partition));
      return;
    }
    const { strategy, value, ttlMs } = write;
    const key = sharedKey(write.text, write.partition);
    const leftMs = Math.max(0, write.deadlineMs - clock.monotonicMs());
    memory.request = write.request;
    memory.tags = write.tags;
    if (value === undefined) strategy.delete(key, reply, leftMs);
    else strategy.set(key, value, 0, value.length, ttlMs, reply, leftMs);
    memory.tags = undefined;
  }

  #timedOut(write: WaitingWrite): void {
    const chain = this.#chains.get(write.text);
    const at = chain?.indexOf(write) ?? -1;
    if (chain === undefined || at < 0) return;
    chain.splice(at, 1);
    const message = `cache '${this.context.name}': an earlier write of the key has not reached the origin in time`;
    this.#fail(write, new LarderError('TIMEOUT', message, { outcome: 'not-applied' }));
  }

  #fail(write: WaitingWrite, error: LarderError): void {
    this.#forget(write);
    for (const reply of write.replies) reply.failed(error);
  }

  #forget(write: WaitingWrite): void {
    write.timer.cancel();
    this.#count--;
    this.#bytes -= write.bytes;
    if (write.request !== undefined) this.#byRequest.delete(requestText(write.request));
  }

  #refusal(bytes: number): LarderError | undefined {
    const { name, policy } = this.context;
    const { pendingMax, pendingBytesMax } = policy.writes;
    if (this.#count < pendingMax && this.#bytes + bytes <= pendingBytesMax) return undefined;
    const message = `cache '${name}': ${this.#count} writes with ${this.#bytes} bytes wait for earlier ones of their keys; writes.maxPending allows ${pendingMax}, writes.maxPendingBytes ${pendingBytesMax}`;
    return new LarderError('BUSY', message, { outcome: 'not-applied' });
  }

  #refusedBefore(refusal: LarderError): LarderError {
    const message = `cache '${this.context.name}': the origin refuses the key's earlier value, which was written behind: retry or discard that dead letter first, or write the key behind; ${refusal.reason}`;
    return new LarderError(refusal.code, message, {
      outcome: 'not-applied',
      cause: refusal,
      details: refusal.details,
    });
  }
}

interface WaitingWrite {
  readonly strategy: WriteStrategy;
  readonly text: string;
  readonly partition: number;
  /** Undefined: a delete. */
  readonly value: Uint8Array | undefined;
  readonly bytes: number;
  readonly ttlMs: number;
  /** All are told the same. */
  readonly replies: Reply[];
  readonly sinceMs: number;
  readonly deadlineMs: number;
  readonly request: RequestId | undefined;
  readonly tags: TagHashes | undefined;
  readonly timer: Timer;
}
