/**
 * How long a node has said nothing although calls are under way to it, or wait for it. Its connection may look healthy: a
 * process that is stopped, or a machine that is cut off, breaks none. So others are asked who owns its keys now, again and again
 * for as long as the silence lasts.
 */

/** Failover takes 1.1 s after a node's last word (docs/cluster.md), so that nobody knows anything new much earlier. */
const SILENT_MS = 1_000;
const QUESTION_PERIOD_MS_MIN = 250;
/** A node that waits for a slow database, and has nothing else to say, is no reason to ask others all the time. */
const QUESTIONS_PER_SILENCE = 4;

export class Silence {
  /** When the node was last heard of. */
  heardMs = 0;
  /** Since when there has been something under way without a break. */
  #sinceMs = 0;
  #askedMs = Number.NEGATIVE_INFINITY;

  /** There was nothing under way, and now there is. */
  begin(nowMs: number): void {
    this.#sinceMs = nowMs;
  }

  /** The moment from which the node could have been heard, and was not. */
  get startMs(): number {
    return Math.max(this.heardMs, this.#sinceMs);
  }

  /** Whether it is time to ask others. If so it is counted as done. */
  isQuestionDue(nowMs: number): boolean {
    const silentMs = nowMs - this.startMs;
    const periodMs = Math.max(QUESTION_PERIOD_MS_MIN, silentMs / QUESTIONS_PER_SILENCE);
    if (silentMs <= SILENT_MS || nowMs - this.#askedMs < periodMs) return false;
    this.#askedMs = nowMs;
    return true;
  }
}
