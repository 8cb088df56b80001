import { EntryFlag } from '@larder/loader';
import {
  type Member,
  packedValue,
  type ReplicatedRecord,
  type Replicator,
  type RequestId,
  recordOf,
} from '@larder/node/internal';
import type { HeldReplies } from './held-replies.js';
import type { Operation } from './history.js';
import { type Answer, CACHES, type Request, resultOf } from './operation-executor.js';
import { type SimulatedDatabase, STATEMENT_MS_MAX, type StatementOutcome } from './simulated-database.js';
import { entriesOf } from './simulated-entries.js';
import type { SimulatedFence } from './simulated-fence.js';
import type { SimulatedProcess } from './simulated-process.js';

/**
 * Reads and writes of a cache with read-through and write-through, as the loader does them; the order of their steps is
 * in the head of replicator.ts. One statement at a time for a key: a second write is told to come again.
 */
export class OriginExecutor {
  /** Keys that this process writes to the database right now. */
  readonly #underWay = new Map<string, RequestId>();
  /** Grows with each step of a write, so that a load can see that it may be older. */
  readonly #steps = new Map<string, number>();
  /** By partition: grows with each invalidation. */
  readonly #invalidations = new Map<number, number>();
  /** Until then a statement may commit whose outcome was not heard. */
  readonly #unsureUntilMs = new Map<string, number>();

  constructor(
    readonly member: Member,
    readonly process: SimulatedProcess,
    readonly database: SimulatedDatabase,
    readonly fence: SimulatedFence,
    readonly replies: HeldReplies,
  ) {}

  load(replicator: Replicator, request: Request, answer: (answer: Answer) => void): void {
    const { key, partition } = request;
    const steps = this.#steps.get(key);
    const invalidations = this.#invalidations.get(partition);
    const quiet = this.#isQuiet(replicator, key);
    this.database.read(key, (value) =>
      this.process.run(() => {
        if (this.member.serving(partition) !== replicator) {
          answer({ kind: 'refused', reason: 'lost' });
          return;
        }
        const entries = entriesOf(replicator);
        const entry = entries.entries.get(key);
        const result = entry === undefined ? textOf(value) : entries.value(key);
        const done: Answer = { kind: 'done', result };
        if (entry !== undefined) {
          // Others are answered with the entry, while the row may already be ahead of it.
          this.replies.answerWhenCommitted(replicator, entry.record.seq, answer, done);
          return;
        }
        const isInvalidated =
          this.member.rules.loadsInvalidated && invalidations !== this.#invalidations.get(partition);
        const fills =
          !isInvalidated &&
          value !== undefined &&
          quiet &&
          steps === this.#steps.get(key) &&
          this.#isQuiet(replicator, key);
        if (!fills || !this.#hasRoom(replicator)) answer(done);
        else this.replies.answerWhenCommitted(replicator, this.#fill(replicator, request, value), answer, done);
      }),
    );
  }

  /** What is being loaded may be older. */
  invalidated(partition: number): void {
    this.#invalidations.set(partition, (this.#invalidations.get(partition) ?? 0) + 1);
  }

  write(replicator: Replicator, request: Request, answer: (answer: Answer) => void): void {
    const { key, id, operation } = request;
    const before = replicator.applied(id);
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) {
      // The same request again is answered once, by the try that is under way.
      if (underWay.client !== id.client || underWay.number !== id.number) answer({ kind: 'refused', reason: 'busy' });
    } else if (before === 'settled' || (before !== undefined && before.result === BEGUN)) {
      answer({ kind: 'unknown' });
    } else if (before !== undefined) {
      this.replies.answerWhenCommitted(replicator, before.seq, answer, answerOf(operation, before.result));
    } else if (!this.#hasRoom(replicator)) {
      answer({ kind: 'refused', reason: 'busy' });
    } else {
      this.#begin(replicator, request, answer);
    }
  }

  #begin(replicator: Replicator, request: Request, answer: (answer: Answer) => void): void {
    const { key, id } = request;
    this.#underWay.set(key, id);
    this.#step(key);
    replicator.hold();
    const forget = recordOf({
      ...changeOf(request, undefined, BEGUN),
      epoch: replicator.epoch,
      seq: replicator.nextSeq,
      flags: EntryFlag.unsure,
      request: id,
    });
    if (!this.member.rules.forgetFirst) {
      this.#execute(replicator, request, forget, answer);
      return;
    }
    entriesOf(replicator).keep(forget);
    const seq = this.replies.submit(replicator, forget);
    this.replies.hold(
      replicator,
      seq,
      () => this.#execute(replicator, request, forget, answer),
      () => this.#lost(key, answer),
    );
  }

  #execute(replicator: Replicator, request: Request, forget: ReplicatedRecord, answer: (answer: Answer) => void): void {
    const { epoch, seq } = forget;
    const { key, operation, partition } = request;
    if (this.member.serving(partition) !== replicator || this.fence.isShut(partition)) {
      this.#ended(replicator, request, 'refused', false, answer);
      return;
    }
    const value = operation.kind === 'set' ? Buffer.from(operation.value) : undefined;
    this.database.execute(key, { epoch, seq, value }, this.fence, (outcome, existed) =>
      this.process.run(() => {
        if (outcome !== 'fenced') {
          this.#ended(replicator, request, outcome, existed, answer);
          return;
        }
        this.fence.renew();
        this.#execute(replicator, request, forget, answer);
      }),
    );
  }

  #ended(
    replicator: Replicator,
    request: Request,
    outcome: Ended,
    existed: boolean,
    answer: (answer: Answer) => void,
  ): void {
    const { key, operation, partition } = request;
    if (this.member.owning(partition) !== replicator) {
      this.#lost(key, answer);
      return;
    }
    this.#underWay.delete(key);
    this.#step(key);
    if (outcome === 'unknown') this.#unsureUntilMs.set(key, this.process.monotonicMs() + UNSURE_MS);
    const result = outcome === 'done' ? (operation.kind === 'delete' && !existed ? 0 : 1) : RESULTS[outcome];
    const change = outcome === 'refused' ? this.#restored(replicator, request) : changeOf(request, outcome, result);
    const seq = this.replies.apply(replicator, { ...change, flags: outcome === 'unknown' ? EntryFlag.unsure : 0 });
    this.replies.answerWhenCommitted(replicator, seq, answer, answerOf(operation, result));
    replicator.release();
  }

  /** What the owner has kept, as a record for those who have forgotten it. */
  #restored(replicator: Replicator, request: Request): ReturnType<typeof changeOf> {
    const entry = entriesOf(replicator).entries.get(request.key);
    const change = changeOf(request, 'refused', FAILED);
    if (entry === undefined) return change;
    const leftMs = entry.expiresMs - this.process.monotonicMs();
    return { ...change, value: packedValue(entry.record), ttlMs: Number.isFinite(leftMs) ? Math.max(1, leftMs) : 0 };
  }

  #lost(key: string, answer: (answer: Answer) => void): void {
    this.#underWay.delete(key);
    this.#step(key);
    answer({ kind: 'unknown' });
  }

  #fill(replicator: Replicator, { key, strategy }: Request, value: Uint8Array): number {
    const keyBytes = Buffer.from(key);
    const change = { cache: CACHES[strategy], key: keyBytes, value, ttlMs: 0, flags: 0, request: undefined, result: 0 };
    return this.replies.apply(replicator, change);
  }

  /** Whether no statement can be under way that a load may have missed. */
  #isQuiet(replicator: Replicator, key: string): boolean {
    const nowMs = this.process.monotonicMs();
    if (this.#underWay.has(key) || nowMs < (this.#unsureUntilMs.get(key) ?? 0)) return false;
    if (!this.member.rules.loadsWait) return true;
    if (this.database.fenced) return !this.fence.isShut(replicator.partition);
    const { beforeMineMs, waitUntilMs } = this.member.copyOf(replicator.partition)!;
    const sinceMs = entriesOf(replicator).unsure.has(key) ? waitUntilMs : beforeMineMs;
    return nowMs >= sinceMs + UNSURE_MS;
  }

  #hasRoom(replicator: Replicator): boolean {
    return replicator.hasRoom && replicator.copies >= this.member.copiesMin;
  }

  #step(key: string): void {
    this.#steps.set(key, (this.#steps.get(key) ?? 0) + 1);
  }
}

type Ended = Exclude<StatementOutcome, 'fenced'>;

/** What the request log says of a write that is under way, or ended with an unknown outcome; and of one refused. */
const BEGUN = -1;
const FAILED = -2;
const RESULTS = { refused: FAILED, unknown: BEGUN } as const;
/** The longest statement, by a clock that may be wrong by 2 %, and some. */
const UNSURE_MS = STATEMENT_MS_MAX * 1.02 + 10;

function textOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString();
}

function answerOf(operation: Operation, result: number): Answer {
  if (result === BEGUN) return { kind: 'unknown' };
  return result === FAILED ? { kind: 'failed' } : { kind: 'done', result: resultOf(operation, result) };
}

function changeOf({ key, operation, id }: Request, outcome: Ended | undefined, result: number) {
  const written = outcome === 'done' && operation.kind === 'set' ? operation : undefined;
  const value: Uint8Array | undefined = written === undefined ? undefined : Buffer.from(written.value);
  const ttlMs = written === undefined ? 0 : written.ttlMs;
  return { cache: CACHES.through, key: Buffer.from(key), value, ttlMs, flags: 0, request: id, result };
}
