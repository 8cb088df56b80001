import { Backoff, type Clock, type Random, type Timer } from '@larder/base';
import { LarderError } from '@larder/proto';
import { type OriginFence, toOriginError } from './origins/origin.js';

/**
 * Keeps writes of partitions that this node has taken over away from the origin until their owners before can write
 * there no more. No lease can stop a statement that is already on its way, so the origin itself is told:
 *
 *   1. a partition is taken over: it is shut;
 *   2. once the owner before can begin nothing more, a raise of the origin's fence begins, one for all that are due. Not earlier:
 *      an owner that is fenced while its lease lasts goes on, as it may;
 *   3. meanwhile rows of shut partitions wait, others do not;
 *   4. the raise succeeds: what earlier owners had begun has taken effect or never will, and the partition is open.
 *
 * A raise that fails is repeated, with growing pauses, for as long as there are shut partitions. An origin without a
 * fence has no gate: there only time tells when old statements are over.
 */
export class FenceGate {
  /** Need a raise that has not begun, and none that begins before this time. */
  readonly #waiting = new Map<number, number>();
  /** Of the raise that is under way. */
  #raising = new Map<number, number>();
  #isUnderWay = false;
  #isScheduled = false;
  #timer: Timer | undefined;
  /** After a failure. */
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  readonly #backoff: Backoff;

  constructor(readonly options: FenceGateOptions) {
    this.#backoff = new Backoff({ firstMs: PAUSE_MS_FIRST, maxMs: PAUSE_MS_MAX, jitter: 0.2 }, options.random);
  }

  isShut(partition: number): boolean {
    return this.#waiting.has(partition) || this.#raising.has(partition);
  }

  /** The partition was taken over. Its owner before may begin statements for `forMs` to come; below 0: it may not. */
  shut(partition: number, forMs: number): void {
    this.#waiting.set(partition, this.options.clock.monotonicMs() + Math.max(0, forMs));
    this.#schedule();
  }

  /** The partition has gone to another node, and with it what waits. */
  forget(partition: number): void {
    const wasWaiting = this.#waiting.delete(partition);
    const wasRaising = this.#raising.delete(partition);
    if (wasWaiting || wasRaising) this.options.lookAgain();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** At the end of the turn, because a view moves hundreds of partitions at once. */
  #schedule(): void {
    if (this.#isScheduled || this.#isUnderWay) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#look();
    });
  }

  #look(): void {
    this.#timer?.cancel();
    if (this.#isClosed || this.#isUnderWay || this.#waiting.size === 0) return;
    const nowMs = this.options.clock.monotonicMs();
    let dueMs = Number.POSITIVE_INFINITY;
    for (const atMs of this.#waiting.values()) dueMs = Math.min(dueMs, atMs);
    dueMs = Math.max(dueMs, this.#pausedUntilMs);
    if (dueMs <= nowMs) void this.#raise(nowMs);
    else this.#timer = this.options.clock.after(dueMs - nowMs, () => this.#look());
  }

  async #raise(nowMs: number): Promise<void> {
    this.#isUnderWay = true;
    for (const [partition, atMs] of this.#waiting) {
      if (atMs > nowMs) continue;
      this.#waiting.delete(partition);
      this.#raising.set(partition, atMs);
    }
    try {
      await this.options.fence.raise();
      this.#isUnderWay = false;
      this.#raised();
    } catch (thrown) {
      this.#isUnderWay = false;
      this.#failed(toOriginError(thrown, 'not-applied'));
    }
    this.#look();
  }

  #raised(): void {
    const opened = this.#raising;
    this.#raising = new Map();
    this.#backoff.reset();
    if (this.#isClosed) return;
    for (const partition of opened.keys()) if (!this.#waiting.has(partition)) this.options.opened(partition);
    this.options.lookAgain();
  }

  #failed(error: LarderError): void {
    for (const [partition, atMs] of this.#raising) {
      if (!this.#waiting.has(partition)) this.#waiting.set(partition, atMs);
    }
    this.#raising.clear();
    if (this.#isClosed) return;
    this.#pausedUntilMs = this.options.clock.monotonicMs() + this.#backoff.nextMs();
    const message = `writes wait until the owners before are fenced off, and that failed: ${error.reason}`;
    this.options.failed(new LarderError('ORIGIN_UNAVAILABLE', message, { outcome: 'not-applied', cause: error }));
  }
}

export interface FenceGateOptions {
  readonly fence: OriginFence;
  readonly clock: Clock;
  readonly random: Random;
  /** Nothing that an owner before has begun will take effect any more. */
  opened(partition: number): void;
  /** Something is shut no more: what waits may go on, or has gone. */
  lookAgain(): void;
  /** The origin cannot be fenced at the moment; it is tried again. */
  failed(error: LarderError): void;
}

const PAUSE_MS_FIRST = 100;
/** As often as a flush asks an origin that is down. */
const PAUSE_MS_MAX = 1_000;
