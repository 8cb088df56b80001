import { setTimeout as sleep } from 'node:timers/promises';
import { type KeyLife, keyLifeAt, SLOT_COUNT } from './key-lives.js';
import { monotonicMs } from './monotonic.js';
import type { RecordedCaches } from './recorded-caches.js';

/** How long a key whose life is over is tried to be read. No fault lasts longer. */
export const AUDIT_MS_MAX = 20_000;
const PAUSE_MS = 100;

export interface AuditOptions {
  readonly index: number;
  readonly clientCount: number;
  readonly originMs: number;
}

/**
 * Reads each key once more when its life is over: a lost write of a key that nobody happened to read would go unseen.
 * Each client has its share of the slots.
 */
export class Audit {
  readonly #lives: KeyLife[] = [];
  readonly #under = new Set<Promise<void>>();

  constructor(
    private readonly caches: RecordedCaches,
    private readonly options: AuditOptions,
  ) {
    const { index, clientCount, originMs } = options;
    for (let slot = index; slot < SLOT_COUNT; slot += clientCount)
      this.#lives.push(keyLifeAt(slot, originMs, originMs));
  }

  /** Begins to read the keys whose lives have ended since the last call. */
  look(): void {
    const nowMs = monotonicMs();
    this.#lives.forEach((life, index) => {
      if (life.endMs > nowMs) return;
      this.#begin(life);
      this.#lives[index] = keyLifeAt(life.slot, nowMs, this.options.originMs);
    });
  }

  /** Reads all that are alive, and waits for those under way. */
  async finish(): Promise<void> {
    for (const life of this.#lives) this.#begin(life);
    await Promise.all(this.#under);
  }

  #begin(life: KeyLife): void {
    const reading = this.#read(life).finally(() => this.#under.delete(reading));
    this.#under.add(reading);
  }

  async #read(life: KeyLife): Promise<void> {
    const untilMs = monotonicMs() + AUDIT_MS_MAX;
    while (!(await this.caches.get(life)) && monotonicMs() < untilMs) await sleep(PAUSE_MS);
  }
}
