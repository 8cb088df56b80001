import type { Clock } from '@larder/base';

/** Beyond this many no key of the cache is filled until the newest has been over. */
const UNSURE_MAX = 100_000;

/**
 * Keys whose last write has an unknown outcome. The statement may still commit, after a load has read the old row; so
 * for a while what is loaded for them is answered but not stored.
 */
export class UnsureKeys {
  /** Key to the time when it is over, in order of that time. */
  readonly #until = new Map<string, number>();
  #allUntilMs = 0;

  /** `unsureMs`: how long a statement may live on after its connection was lost. */
  constructor(
    readonly clock: Clock,
    readonly unsureMs: number,
  ) {}

  add(text: string): void {
    const untilMs = this.clock.monotonicMs() + this.unsureMs;
    this.#until.delete(text);
    if (this.#until.size >= UNSURE_MAX) this.#allUntilMs = untilMs;
    else this.#until.set(text, untilMs);
  }

  /** Its value is known again. */
  delete(text: string): void {
    if (this.#until.size > 0) this.#until.delete(text);
  }

  has(text: string): boolean {
    if (this.#until.size === 0 && this.#allUntilMs === 0) return false;
    const nowMs = this.clock.monotonicMs();
    this.#forgetOver(nowMs);
    return nowMs < this.#allUntilMs || this.#until.has(text);
  }

  #forgetOver(nowMs: number): void {
    for (const [text, untilMs] of this.#until) {
      if (untilMs > nowMs) return;
      this.#until.delete(text);
    }
  }
}
