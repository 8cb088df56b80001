import type { Clock, Timer } from '@larder/base';

/**
 * Looks regularly after what is under way, for as long as there is something, and keeps the process alive meanwhile:
 * somebody awaits it. A sweep that comes far too late means that this process was busy, not that the node was slow;
 * it is skipped, once, so that the answers that lie in the socket are read before anything is given up.
 */
const LATE_PERIODS = 5;

export class Sweeper {
  #timer: Timer | undefined;
  #sweptMs = 0;
  #skipped = false;

  /** `sweep` returns whether there is still something to look after. */
  constructor(
    readonly clock: Clock,
    readonly periodMs: number,
    readonly sweep: (nowMs: number) => boolean,
  ) {}

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#sweptMs = this.clock.monotonicMs();
    this.#timer = this.clock.every(this.periodMs, this.#ring).hold();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #ring = (): void => {
    const nowMs = this.clock.monotonicMs();
    this.#skipped = !this.#skipped && nowMs - this.#sweptMs > this.periodMs * LATE_PERIODS;
    this.#sweptMs = nowMs;
    if (this.#skipped) return;
    if (!this.sweep(nowMs)) this.stop();
  };
}
