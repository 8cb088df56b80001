import type { Clock } from '@larder/base';

/** Beyond this many no key of the cache is filled until the newest has been over. */
const UNSURE_MAX = 100_000;

/**
 * Keys whose row may change although no load can tell: a write to the origin is under way, or its outcome is unknown,
 * or it was the write of an owner that has died. Until that is over what is loaded for them is answered but not stored.
 */
export class UnsureKeys {
  /** Key to the time when it is over, in order of that time. */
  readonly #until = new Map<string, number>();
  #allUntilMs = 0;
  readonly #underWay = new Set<string>();
  /** Partition to the time when it is over. */
  readonly #partitionsUntil = new Map<number, number>();

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

  /** A write of the key to the origin is about to begin. */
  begin(text: string): void {
    this.#underWay.add(text);
  }

  /** It has ended, and the memory has followed it. */
  end(text: string): void {
    this.#underWay.delete(text);
  }

  isUnderWay(text: string): boolean {
    return this.#underWay.has(text);
  }

  /** All keys of the partition, because of what its owner before may begin for `forMs` to come, or began so long ago. */
  addPartition(partition: number, forMs: number): void {
    if (this.unsureMs > 0) this.#partitionsUntil.set(partition, this.clock.monotonicMs() + forMs + this.unsureMs);
  }

  /** Nothing that an owner before has begun will take effect any more: its origin was told so. */
  settlePartition(partition: number): void {
    this.#partitionsUntil.delete(partition);
  }

  has(text: string, partition: number): boolean {
    if (this.#underWay.has(text) || this.#isUnsurePartition(partition)) return true;
    if (this.#until.size === 0 && this.#allUntilMs === 0) return false;
    const nowMs = this.clock.monotonicMs();
    this.#forgetOver(nowMs);
    return nowMs < this.#allUntilMs || this.#until.has(text);
  }

  #isUnsurePartition(partition: number): boolean {
    const untilMs = this.#partitionsUntil.get(partition);
    if (untilMs === undefined) return false;
    if (this.clock.monotonicMs() < untilMs) return true;
    this.#partitionsUntil.delete(partition);
    return false;
  }

  #forgetOver(nowMs: number): void {
    for (const [text, untilMs] of this.#until) {
      if (untilMs > nowMs) return;
      this.#until.delete(text);
    }
  }
}
