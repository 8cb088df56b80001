import { BoundedQueue } from '@larder/base';
import { type KeySlice, LarderError } from '@larder/proto';
import { BatchRunner, STATEMENT_BYTES_MAX } from './batch-runner.js';
import type { Hold, HoldSink, RequestId } from './entry-memory.js';
import { sharedKey } from './key-text.js';
import { namedError } from './named-error.js';
import { isFenced, type OriginRow } from './origins/origin.js';
import { PENDING_COUNT_MAX, type ResolvedWritePolicy } from './policy.js';
import type { Reply } from './reply.js';
import { splitBatch } from './split-batch.js';
import type { OriginContext } from './strategies/strategy.js';
import type { TagHashes } from './tags/tag-hashes.js';

/**
 * Group commit for writes whose callers wait for the origin: concurrent writes to different keys share a statement,
 * writes to one key follow each other. Every write reaches the origin, none is coalesced away.
 *
 * A key's first write is ready; those behind it hang on it in a chain and become ready one by one:
 *
 *     #tails   a -> a3      #readySets     b1 a1
 *              b -> b1      #readyDeletes  c1          a1 -> a2 -> a3
 *              c -> c1
 *
 * A ready write whose partition is shut (fence-gate.ts) waits in `#shut`.
 */
export class WriteQueue {
  readonly #tails = new Map<string, PendingWrite>();
  readonly #byRequest = new Map<string, PendingWrite>();
  readonly #readySets = new BoundedQueue<PendingWrite>(PENDING_COUNT_MAX);
  readonly #readyDeletes = new BoundedQueue<PendingWrite>(PENDING_COUNT_MAX);
  #shut: PendingWrite[] = [];
  readonly #runner: BatchRunner;
  readonly #sent = new Set<readonly PendingWrite[]>();
  readonly #idle: (() => void)[] = [];
  #closed: LarderError | undefined;
  #order = 0;
  #pending = 0;
  #pendingBytes = 0;

  constructor(readonly options: WriteQueueOptions) {
    const statementsMax = () => this.#policy.statementsMax;
    this.#runner = new BatchRunner({
      get statementsMax() {
        return statementsMax();
      },
      clock: options.context.clock,
      waiting: () => this.#readySets.length + this.#readyDeletes.length,
      takeBatch: (countMax) => this.#takeBatch(Math.min(countMax, this.#policy.batchMax)),
    });
  }

  get #policy(): ResolvedWritePolicy {
    return this.options.context.policy.writes;
  }

  get pending(): number {
    return this.#pending;
  }

  get oldestPendingMs(): number {
    if (this.#pending === 0) return 0;
    const firsts = [...this.#sent].map((batch) => batch[0]);
    const sinceMs = [...firsts, this.#shut[0], this.#readySets.peek(), this.#readyDeletes.peek()].flatMap(
      (write) => write?.sinceMs ?? [],
    );
    return sinceMs.length === 0 ? 0 : this.options.context.clock.monotonicMs() - Math.min(...sinceMs);
  }

  /** Whether a write of the key waits or is under way. */
  holds(text: string): boolean {
    return this.#tails.has(text);
  }

  /** Calls back when the last write of the key, of which there is one, has ended. Nothing may be added to it meanwhile. */
  whenDone(text: string, done: () => void): void {
    this.#tails.get(text)!.whenDone = done;
  }

  /** Why one more write of so many bytes cannot wait, if it cannot. */
  refusal(bytes: number): LarderError | undefined {
    const { name } = this.options.context;
    const policy = this.#policy;
    const busy = (message: string) =>
      new LarderError('BUSY', `cache '${name}': ${message}`, { outcome: 'not-applied' });
    if (this.#pending >= policy.pendingMax) {
      return busy(`${this.#pending} writes wait for the origin, writes.maxPending allows no more`);
    }
    if (this.#pendingBytes + bytes > policy.pendingBytesMax) {
      return busy(
        `${this.#pendingBytes} bytes wait for the origin, writes.maxPendingBytes allows ${policy.pendingBytesMax}`,
      );
    }
    return undefined;
  }

  /** Ask `refusal` first. */
  add(write: PendingWrite): void {
    write.order = this.#order++;
    write.sinceMs = this.options.context.clock.monotonicMs();
    this.#pending++;
    this.#pendingBytes += write.bytes;
    if (write.request !== undefined) this.#byRequest.set(requestText(write.request), write);
    const tail = this.#tails.get(write.text);
    this.#tails.set(write.text, write);
    if (tail !== undefined) tail.next = write;
    else this.#makeReady(write);
  }

  /** The same request came again while its write waits or is under way: it gets the same answer. */
  join(request: RequestId, reply: Reply): boolean {
    const write = this.#byRequest.get(requestText(request));
    write?.replies.push(reply.later());
    return write !== undefined;
  }

  /** Resolves when nothing is pending. */
  whenIdle(): Promise<void> {
    return this.#pending === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  /** From now on nothing is sent: what waits, and what becomes ready later, fails with this error. */
  close(error: LarderError): void {
    this.#closed = error;
    this.failShut(error);
    this.#failReady(error);
  }

  /**
   * It may be sent once the other copies have forgotten the key. If the partition has gone, it fails, and with it all
   * that wait behind it: in a loop, since there may be thousands.
   */
  #makeReady(first: PendingWrite): void {
    const { memory } = this.options.context;
    for (let write: PendingWrite | undefined = first; write !== undefined; write = write.next) {
      if (memory.serves(write.partition)) {
        this.#hold(write);
        return;
      }
      this.#tellFailed(write, memory.refusal(write.partition));
      this.#end(write);
    }
  }

  #hold(write: PendingWrite): void {
    const { memory, unsure } = this.options.context;
    unsure.begin(write.text);
    memory.request = write.request;
    write.hold = memory.holdBack(write.key, new WriteHoldSink(this, write));
    if (write.hold.isHeld) this.enqueue(write);
  }

  /** Partitions that were shut are so no more, or have gone. */
  lookAgain(): void {
    for (const write of this.#shut.splice(0)) this.enqueue(write);
  }

  /** The origin cannot be fenced now: nobody is left waiting for that. */
  failShut(error: LarderError): void {
    for (const write of this.#shut.splice(0)) this.#failed(write, error);
  }

  enqueue(write: PendingWrite): void {
    (write.value === undefined ? this.#readyDeletes : this.#readySets).push(write);
    this.#runner.wake();
  }

  fail(write: PendingWrite, error: LarderError): void {
    this.#failed(write, error);
  }

  #takeBatch(countMax: number): Promise<void> | undefined {
    if (this.#closed !== undefined) this.#failReady(this.#closed);
    for (let queue = this.#longestWaiting(); queue !== undefined; queue = this.#longestWaiting()) {
      const batch = this.#take(queue, countMax);
      if (batch.length > 0) return this.#send(batch, queue === this.#readySets);
    }
    return undefined;
  }

  #failReady(error: LarderError): void {
    for (let queue = this.#longestWaiting(); queue !== undefined; queue = this.#longestWaiting()) {
      this.#failed(queue.shift() as PendingWrite, error);
    }
  }

  /** The ready sets or the ready deletes, whichever have the older head. */
  #longestWaiting(): BoundedQueue<PendingWrite> | undefined {
    const set = this.#readySets.peek();
    const remove = this.#readyDeletes.peek();
    if (remove === undefined) return set === undefined ? undefined : this.#readySets;
    return set !== undefined && set.order < remove.order ? this.#readySets : this.#readyDeletes;
  }

  /** Writes whose callers have given up are not sent, and those of shut partitions not yet. */
  #take(queue: BoundedQueue<PendingWrite>, countMax: number): PendingWrite[] {
    const { clock, gate } = this.options.context;
    const nowMs = clock.monotonicMs();
    const batch: PendingWrite[] = [];
    let bytes = 0;
    for (let write = queue.peek(); write !== undefined && batch.length < countMax; write = queue.peek()) {
      if (batch.length > 0 && bytes + write.bytes > STATEMENT_BYTES_MAX) break;
      queue.shift();
      if (write.deadlineMs < nowMs) {
        this.#failed(write, this.#timeoutError());
        continue;
      }
      if (gate?.isShut(write.partition)) {
        this.#shut.push(write);
        continue;
      }
      bytes += write.bytes;
      batch.push(write);
    }
    return batch;
  }

  async #send(batch: readonly PendingWrite[], sets: boolean): Promise<void> {
    this.#sent.add(batch);
    await splitBatch(batch, 'unknown', (part) => this.#attempt(part, sets), {
      named: (part, error) => part.findIndex(({ text }) => text === error.details?.row),
      done: (part, found) => {
        for (const [index, write] of part.entries()) this.#applied(write, found === undefined || found[index] === true);
      },
      failed: (part, error) => {
        if (isFenced(error)) this.options.context.counters.fencedStatements++;
        for (const write of part) {
          if (isFenced(error)) this.#sendAgain(write);
          else this.#failed(write, namedError(error, this.options.context.name, write.text));
        }
      },
    });
    this.#sent.delete(batch);
  }

  /** For deletes, which keys had a row. */
  async #attempt(part: readonly PendingWrite[], sets: boolean): Promise<readonly boolean[] | undefined> {
    const { origin, memory, gate, counters } = this.options.context;
    // It has waited, for the other copies or behind another statement, and the partition may have gone meanwhile.
    const lost = part.find(({ partition }) => !memory.keeps(partition));
    if (lost !== undefined) throw memory.refusal(lost.partition);
    if (gate !== undefined && part.some(({ partition }) => gate.isShut(partition))) throw shutError();
    counters.writeStatements++;
    if (!sets) return origin.deleteMany(part.map((write) => write.text));
    await origin.writeMany(part.map((write) => write.row));
    return undefined;
  }

  /** Nodes that took partitions over have fenced this one off. Its statement did nothing; is the row still its own? */
  #sendAgain(write: PendingWrite): void {
    const { memory } = this.options.context;
    if (memory.keeps(write.partition)) this.enqueue(write);
    else this.#failed(write, memory.refusal(write.partition));
  }

  #applied(write: PendingWrite, changed: boolean): void {
    if (changed) this.options.context.counters.rowsWritten++;
    this.options.applied(write, changed);
    this.#release(write);
  }

  #failed(write: PendingWrite, error: LarderError): void {
    this.#tellFailed(write, error);
    this.#release(write);
  }

  #tellFailed(write: PendingWrite, error: LarderError): void {
    this.options.context.counters.writeFailures++;
    this.options.failed(write, error);
  }

  #release(write: PendingWrite): void {
    this.#end(write);
    if (write.next !== undefined) this.#makeReady(write.next);
  }

  #end(write: PendingWrite): void {
    const { clock, unsure } = this.options.context;
    if (write.request !== undefined) this.#byRequest.delete(requestText(write.request));
    if (write.hold !== undefined) unsure.end(write.text);
    if (write.isUnsure) clock.after(unsure.unsureMs, () => write.hold?.release());
    else write.hold?.release();
    this.#pending--;
    this.#pendingBytes -= write.bytes;
    if (write.next === undefined) this.#tails.delete(write.text);
    if (this.#pending === 0) for (const resolve of this.#idle.splice(0)) resolve();
    write.whenDone?.();
  }

  #timeoutError(): LarderError {
    const message = `cache '${this.options.context.name}': the origin was too busy to be written in time`;
    return new LarderError('TIMEOUT', message, { outcome: 'not-applied' });
  }
}

export interface WriteQueueOptions {
  readonly context: OriginContext;
  /** `changed`: for a delete, whether there was a row. */
  applied(write: PendingWrite, changed: boolean): void;
  failed(write: PendingWrite, error: LarderError): void;
}

/** A set is added only after the origin's `check` has accepted it. */
export class PendingWrite {
  order = 0;
  sinceMs = 0;
  /** The next write of the same key. */
  next: PendingWrite | undefined = undefined;
  hold: Hold | undefined = undefined;
  whenDone: (() => void) | undefined = undefined;
  /** Whether the origin has it is not known, and may change until `unsureMs` are over. */
  isUnsure = false;

  tags: TagHashes | undefined = undefined;
  /** The last invalidation before it. */
  invalidationOrder = 0;

  /** Of key and value. */
  readonly bytes: number;
  readonly partition: number;
  /** All are told the same. */
  readonly replies: Reply[];

  constructor(
    readonly text: string,
    key: KeySlice,
    /** Undefined: a delete. */
    readonly value: Uint8Array | undefined,
    readonly ttlMs: number,
    reply: Reply,
    readonly deadlineMs: number,
    readonly request: RequestId | undefined,
  ) {
    this.replies = [reply];
    this.bytes = key.end - key.start + (value?.length ?? 0);
    this.partition = key.partition;
  }

  /** Valid until the next key is asked for. */
  get key(): KeySlice {
    return sharedKey(this.text, this.partition);
  }

  /** Of a set that is held back. */
  get row(): OriginRow {
    const { text: key, value, hold } = this;
    return { key, value: value as Uint8Array, isChecked: true, epoch: hold?.epoch ?? 0, seq: hold?.seq ?? 0 };
  }

  written(epoch: number, seq: number, copies: number): void {
    for (const reply of this.replies) reply.written(epoch, seq, copies);
  }

  found(found: boolean): void {
    for (const reply of this.replies) reply.found(found);
  }

  failed(error: LarderError): void {
    for (const reply of this.replies) reply.failed(error);
  }
}

/** Waits for the other copies to forget the key of a write. */
class WriteHoldSink implements HoldSink {
  constructor(
    readonly queue: WriteQueue,
    readonly write: PendingWrite,
  ) {}

  held(): void {
    this.queue.enqueue(this.write);
  }

  holdLost(error: LarderError): void {
    this.queue.fail(this.write, error);
  }
}

/** As if the origin had said so: they are looked at again, one by one. */
function shutError(): LarderError {
  const message = 'a partition was taken over, and its owners before are not fenced off yet';
  return new LarderError('ORIGIN_UNAVAILABLE', message, { outcome: 'not-applied', details: { fenced: true } });
}

export function requestText({ client, number }: RequestId): string {
  return `${client}:${number}`;
}
