import type { Random } from '@larder/base';
import { TTL_DEFAULT } from '@larder/proto';
import type { ResolvedCachePolicy } from './policy.js';

/** A sliding life is renewed when this share of it is over: a renewal is a write, and one in eight of a life is enough. */
const RENEWAL_SHARE = 1 / 8;

/** How long an entry lives: what the caller asked for, or the cache's default with its jitter. */
export class EntryLife {
  #policy: ResolvedCachePolicy;
  #renewedBelowMs = 0;

  constructor(
    policy: ResolvedCachePolicy,
    readonly random: Random,
  ) {
    this.#policy = policy;
    this.policy = policy;
  }

  get policy(): ResolvedCachePolicy {
    return this.#policy;
  }

  set policy(policy: ResolvedCachePolicy) {
    this.#policy = policy;
    this.#renewedBelowMs = policy.idleMs * (1 - RENEWAL_SHARE);
  }

  /** TTL_DEFAULT: the cache's. 0: never expires. */
  lifeMs(ttlMs: number): number {
    if (ttlMs !== TTL_DEFAULT) return ttlMs;
    const { ttlMs: defaultMs, jitter } = this.#policy;
    if (defaultMs === 0 || jitter === 0) return defaultMs;
    return Math.max(1, Math.round(defaultMs * (1 - jitter * this.random.next())));
  }

  /** Whether reads renew lives at all. */
  get slides(): boolean {
    return this.#policy.idleMs !== 0;
  }

  /** Whether an entry that is read with so much of its life left is to get `idle` again. -1: it never expires. */
  isRenewalDue(remainingMs: number): boolean {
    return remainingMs >= 0 && remainingMs < this.#renewedBelowMs;
  }
}
