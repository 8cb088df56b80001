import type { Clock, Random, Timer } from '@larder/base';
import { type KeySlice, keySlice } from '@larder/proto';
import type { EntryMemory } from '../entry-memory.js';
import { keyText } from '../key-text.js';
import type { ResolvedRefreshPolicy } from '../refresh-policy.js';
import type { ReadThrough } from './read-through.js';

/**
 * Reloads entries before their lives are over, in the background, so that nobody waits for a key that is asked for all
 * the time. Which ones:
 *
 *   - those that are hit in the last part of their life (`fraction`), once it was `minHits` times;
 *   - with `early` in place of that, each hit decides by chance, the more likely the nearer the end is and the longer a
 *     load takes: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention" (VLDB 2015), XFetch;
 *   - the listed `keys`, every `interval`, hit or not, each at its owner.
 *
 * It decides only. That a key has one load, that they share statements and are bounded is the work of ReadThrough.
 */
export interface RefreshAheadOptions {
  readonly policy: ResolvedRefreshPolicy;
  /** Of what is loaded. */
  readonly ttlMs: number;
  readonly memory: EntryMemory;
  readonly reads: Pick<ReadThrough, 'refresh' | 'loadMs'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** Keys whose hits are counted. At the bound the one that was counted first is forgotten. */
const COUNTED_MAX = 10_000;
/** -ln(u) of the smallest double that `random` gives is below it: further from its end no chance is taken. */
const LOGARITHM_MAX = 37;

export class RefreshAhead {
  /** With `minHits` above 1: hits of keys in the last part of their life, with the version that was hit. */
  readonly #counted = new Map<string, { readonly seq: number; hits: number }>();
  readonly #timer: Timer | undefined;

  constructor(readonly options: RefreshAheadOptions) {
    const { policy, clock } = options;
    const keys = policy.keys.map((text) => ({ text, partition: keySlice(Buffer.from(text)).partition }));
    if (keys.length === 0) return;
    this.#timer = clock.every(policy.intervalMs, () => {
      for (const { text, partition } of keys) this.#refreshListed(text, partition);
    });
  }

  /** A clean entry was hit with so much of its life left; -1: it never expires. */
  hit(key: KeySlice, seq: number, remainingMs: number): void {
    if (remainingMs < 0 || !this.#isDue(remainingMs)) return;
    const text = keyText(key);
    if (text !== undefined && this.#isHitEnough(text, seq)) this.options.reads.refresh(text, key.partition);
  }

  close(): void {
    this.#timer?.cancel();
  }

  #isDue(remainingMs: number): boolean {
    const { policy, ttlMs, reads, random } = this.options;
    if (policy.early === 0) return remainingMs <= ttlMs * policy.fraction;
    const scaleMs = Math.max(1, reads.loadMs) * policy.early;
    return remainingMs <= scaleMs * LOGARITHM_MAX && remainingMs <= -Math.log(1 - random.next()) * scaleMs;
  }

  #isHitEnough(text: string, seq: number): boolean {
    const { hitsMin } = this.options.policy;
    if (hitsMin === 1) return true;
    const counted = this.#counted.get(text);
    if (counted?.seq === seq) return ++counted.hits >= hitsMin;
    this.#counted.delete(text);
    if (this.#counted.size >= COUNTED_MAX) this.#counted.delete(this.#counted.keys().next().value as string);
    this.#counted.set(text, { seq, hits: 1 });
    return false;
  }

  /** What has been written and is not yet in the origin is newer than what the origin has. */
  #refreshListed(text: string, partition: number): void {
    const { memory, reads } = this.options;
    if (!memory.serves(partition)) return;
    const ref = memory.peek(keySlice(Buffer.from(text)));
    if (ref === 0 || memory.flags(ref) === 0) reads.refresh(text, partition);
  }
}
