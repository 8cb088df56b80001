import type { Random } from '@larder/base';
import { TTL_DEFAULT } from '@larder/proto';
import type { ResolvedCachePolicy } from './policy.js';

/** How long an entry lives: what the caller asked for, or the cache's default with its jitter. */
export class EntryLife {
  constructor(
    readonly policy: ResolvedCachePolicy,
    readonly random: Random,
  ) {}

  /** TTL_DEFAULT: the cache's. 0: never expires. */
  lifeMs(ttlMs: number): number {
    if (ttlMs !== TTL_DEFAULT) return ttlMs;
    const { ttlMs: defaultMs, jitter } = this.policy;
    if (defaultMs === 0 || jitter === 0) return defaultMs;
    return Math.max(1, Math.round(defaultMs * (1 - jitter * this.random.next())));
  }
}
