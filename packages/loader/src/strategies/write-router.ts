import { assert } from '@larder/base';
import { type KeySlice, LarderError, WriteMode } from '@larder/proto';
import type { DeadLetter } from '../dead-letters.js';
import { EntryFlag, type EntryRef, type RequestId } from '../entry-memory.js';
import { keyText } from '../key-text.js';
import type { WriteStrategyName } from '../policy.js';
import type { Reply } from '../reply.js';
import { hasOrigin, type StrategyContext, type WriteStrategy } from './strategy.js';
import { WaitingWrites } from './waiting-writes.js';
import { WriteAround } from './write-around.js';
import { WriteBehind } from './write-behind.js';
import { WriteMemory } from './write-memory.js';
import { WriteThrough } from './write-through.js';

/** By WriteMode; the first is the cache's own. */
const NAMES: readonly (WriteStrategyName | undefined)[] = [undefined, 'memory', 'through', 'behind', 'around'];

/**
 * The write strategies of one cache: its policy names one, a call may ask for another, and the policy may change. A
 * strategy is made when it is first asked for. A key is with one strategy at a time: a write that wants another waits
 * until the one before has ended (waiting-writes.ts), so that writes of a key keep their order.
 */
export class WriteRouter {
  readonly #made = new Map<WriteStrategyName, WriteStrategy>();
  readonly #waiting: WaitingWrites;
  #behind: WriteBehind | undefined;
  #own: WriteStrategy;
  #isClosed = false;

  constructor(readonly context: StrategyContext) {
    this.#waiting = new WaitingWrites(context, (text, strategy) => this.#otherWith(text, strategy));
    this.#own = this.#strategy(context.policy.write);
  }

  /** `mode`: a WriteMode. */
  set(
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    ttlMs: number,
    mode: number,
    reply: Reply,
    timeoutMs: number,
  ): void {
    const strategy = mode === WriteMode.byPolicy ? this.#own : this.#chosen(mode, reply);
    if (strategy === undefined) return;
    this.#adoptBefore(key, strategy);
    if (this.#made.size > 1 && this.#mustWait(key, strategy)) {
      this.#waiting.add(strategy, key, value.subarray(start, end), ttlMs, reply, timeoutMs);
    } else {
      strategy.set(key, value, start, end, ttlMs, reply, timeoutMs);
    }
  }

  delete(key: KeySlice, mode: number, reply: Reply, timeoutMs: number): void {
    const strategy = mode === WriteMode.byPolicy ? this.#own : this.#chosen(mode, reply);
    if (strategy === undefined) return;
    this.#adoptBefore(key, strategy);
    if (this.#made.size > 1 && this.#mustWait(key, strategy)) {
      this.#waiting.add(strategy, key, undefined, 0, reply, timeoutMs);
    } else {
      strategy.delete(key, reply, timeoutMs);
    }
  }

  join(request: RequestId, reply: Reply): boolean {
    for (const strategy of this.#made.values()) if (strategy.join?.(request, reply)) return true;
    return this.#waiting.join(request, reply);
  }

  /** A dirty entry is flushed whatever the policy says now: it was acknowledged under another. */
  adopt(key: KeySlice, ref: EntryRef): void {
    if ((this.context.memory.flags(ref) & EntryFlag.dirty) === 0 || !hasOrigin(this.context)) return;
    this.#strategy('behind').adopt?.(key, ref);
  }

  disown(partition: number): void {
    for (const strategy of this.#made.values()) strategy.disown?.(partition);
  }

  lookAgain(): void {
    for (const strategy of this.#made.values()) strategy.lookAgain?.();
  }

  failShut(error: LarderError): void {
    for (const strategy of this.#made.values()) strategy.failShut?.(error);
  }

  /** The context has another policy: later writes go by it, earlier ones end as they began. */
  policyChanged(): void {
    this.#own = this.#strategy(this.context.policy.write);
    for (const strategy of this.#made.values()) strategy.policyChanged?.();
  }

  deadLetters(limit: number): DeadLetter[] {
    return this.#behind?.deadLetters(limit) ?? [];
  }

  retryDeadLetter(text: string): boolean {
    return this.#behind?.retryDeadLetter(text) ?? false;
  }

  discardDeadLetter(text: string): boolean {
    return this.#behind?.discardDeadLetter(text) ?? false;
  }

  /** Resolves with how many writes have not reached the origin at the deadline. */
  async drain(timeoutMs: number): Promise<number> {
    const { clock } = this.context;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const leftMs = Math.max(0, deadlineMs - clock.monotonicMs());
      const waited = this.#waiting.count;
      const left = await Promise.all([...this.#made.values()].map((strategy) => strategy.drain(leftMs)));
      const sum = left.reduce((total, count) => total + count, this.#waiting.count);
      // Those that waited for a key have been handed in by now, and are pending there.
      if (waited === 0 || clock.monotonicMs() >= deadlineMs) return sum;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting.close();
    for (const strategy of this.#made.values()) strategy.close();
  }

  get pendingWrites(): number {
    return this.#sum(({ pendingWrites }) => pendingWrites) + this.#waiting.count;
  }

  get oldestPendingMs(): number {
    const ages = [...this.#made.values()].map(({ oldestPendingMs }) => oldestPendingMs);
    return Math.max(...ages, this.#waiting.oldestMs);
  }

  get refusedRows(): number {
    return this.#sum(({ refusedRows }) => refusedRows);
  }

  get givenUpRows(): number {
    return this.#behind?.givenUpRows ?? 0;
  }

  #sum(of: (strategy: WriteStrategy) => number): number {
    let sum = 0;
    for (const strategy of this.#made.values()) sum += of(strategy);
    return sum;
  }

  /** Undefined: it was answered. */
  #chosen(mode: number, reply: Reply): WriteStrategy | undefined {
    const name = NAMES[mode];
    if (name === undefined) {
      const message = `operation.write is ${mode}; this node knows 0 to ${NAMES.length - 1}`;
      reply.failed(new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' }));
    } else if (name !== 'memory' && !hasOrigin(this.context)) {
      const message = `write is '${name}', but cache '${this.context.name}' has no origin; allowed is 'memory'`;
      reply.failed(new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' }));
    } else {
      return this.#strategy(name);
    }
    return undefined;
  }

  /** A dirty entry may have come with its partition a moment ago and not have been handed to `adopt` yet. */
  #adoptBefore(key: KeySlice, strategy: WriteStrategy): void {
    const { memory, origin } = this.context;
    if (origin === undefined || strategy === this.#behind) return;
    const ref = memory.peek(key);
    if (ref !== 0) this.adopt(key, ref);
  }

  #mustWait(key: KeySlice, strategy: WriteStrategy): boolean {
    if (this.#waiting.count === 0 && !this.#isAnyOtherPending(strategy)) return false;
    const text = keyText(key);
    // What is not UTF-8 has no origin, and is refused by whoever has one.
    if (text === undefined) return false;
    return this.#waiting.has(text) || this.#otherWith(text, strategy) !== undefined;
  }

  #isAnyOtherPending(strategy: WriteStrategy): boolean {
    for (const other of this.#made.values()) if (other !== strategy && other.pendingWrites > 0) return true;
    return false;
  }

  #otherWith(text: string, strategy: WriteStrategy): WriteStrategy | undefined {
    for (const other of this.#made.values()) if (other !== strategy && other.holds(text)) return other;
    return undefined;
  }

  #strategy(name: WriteStrategyName): WriteStrategy {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const made = this.#make(name);
    this.#made.set(name, made);
    if (this.#isClosed) made.close();
    return made;
  }

  #make(name: WriteStrategyName): WriteStrategy {
    const { context } = this;
    if (name === 'memory') return new WriteMemory(context);
    assert(hasOrigin(context), 'the policy has a strategy that needs an origin, and there is none');
    if (name === 'through') return new WriteThrough(context);
    if (name === 'around') return new WriteAround(context);
    this.#behind = new WriteBehind(context, {
      set: (key, value, start, end, ttlMs, reply, timeoutMs) =>
        this.set(key, value, start, end, ttlMs, WriteMode.through, reply, timeoutMs),
      delete: (key, reply, timeoutMs) => this.delete(key, WriteMode.through, reply, timeoutMs),
    });
    return this.#behind;
  }
}
