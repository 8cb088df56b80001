import { SESSION_OPERATIONS_MAX } from '@larder/proto';
import type { Call } from './call.js';
import type { Silence } from './silence.js';
import type { Slots } from './slots.js';
import type { WaitingCalls } from './waiting-calls.js';

/**
 * The calls of one session whose time is up, and the answers that will never come. All calls are looked at only when one
 * of them is due, which for calls of equal timeouts is once per timeout, not once per sweep.
 */

/** Answers are overdue and the node has said nothing at all for so long: the connection is dead, whatever TCP thinks. */
const SILENCE_MS_MAX = 5_000;
/** How often overdue answers are looked for again. */
const OVERDUE_PERIOD_MS = 500;
/** An answer that is later than this will not come. Its slot cannot be used again while the stream lives. */
const ABANDONED_MS = 10_000;
/** So many abandoned slots are worth a new stream. */
const ABANDONED_MAX = SESSION_OPERATIONS_MAX / 2;

export interface DeadlineOwner {
  /** The call's time is up; its slot stays in use. */
  unanswered(call: Call): void;
  /** The call's time is up, or it is settled already; it does not wait any more. */
  unsent(call: Call): void;
}

export class Deadlines {
  /** When the next call is due, or earlier. */
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(
    readonly slots: Slots,
    readonly waiting: WaitingCalls,
    readonly silence: Silence,
    readonly owner: DeadlineOwner,
  ) {}

  watch(call: Call): void {
    if (call.deadlineMs < this.#dueMs) this.#dueMs = call.deadlineMs;
  }

  /** Returns what is wrong with the node if its stream should be given up. */
  sweep(nowMs: number): string | undefined {
    if (nowMs < this.#dueMs) return undefined;
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.waiting.removeIf((call) => this.#isToGo(call, nowMs));
    let overdue = 0;
    let abandoned = 0;
    this.slots.forEach((call) => {
      if (call.deadlineMs > nowMs) {
        this.watch(call);
        return;
      }
      overdue++;
      if (call.deadlineMs + ABANDONED_MS <= nowMs) abandoned++;
      if (!call.settled) this.owner.unanswered(call);
    });
    if (overdue === 0) return undefined;
    this.#dueMs = Math.min(this.#dueMs, nowMs + OVERDUE_PERIOD_MS);
    if (abandoned > ABANDONED_MAX) return `owes ${abandoned} answers`;
    const silentMs = Math.round(nowMs - this.silence.heardMs);
    return silentMs > SILENCE_MS_MAX ? `has been silent for ${silentMs} ms` : undefined;
  }

  #isToGo(call: Call, nowMs: number): boolean {
    if (!call.settled && call.deadlineMs > nowMs) {
      this.watch(call);
      return false;
    }
    this.owner.unsent(call);
    return true;
  }
}
