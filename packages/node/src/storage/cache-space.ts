import type { EvictionPolicy } from './eviction/eviction-policy.js';

/**
 * What an entry is charged for its place in the index: a slot of 8 bytes at the load right after a segment has grown,
 * 0.85 / 1.25 = 0.68, is the most that a growing index takes.
 */
export const INDEX_BYTES_PER_ENTRY = 12;

/** What an entry of so many words counts to its cache, in bytes, without what the policy keeps for it. */
export function chargeOf(words: number): number {
  return words * 4 + INDEX_BYTES_PER_ENTRY;
}

/** One cache's share of the storage: its bound, its counts and its policy. */
export class CacheSpace {
  entries = 0;
  /** The charges of all entries. */
  entryBytes = 0;
  /** The charges of those that may not be evicted. */
  pinnedBytes = 0;
  evictions = 0;
  expirations = 0;

  constructor(
    readonly id: number,
    readonly memoryBytesMax: number,
    readonly policy: EvictionPolicy,
  ) {}

  /** What an entry of so many words counts. */
  charge(words: number): number {
    return chargeOf(words) + this.policy.entryBytes;
  }

  /** Bytes that the policy takes outside of the arena. */
  get policyBytes(): number {
    return this.entries * this.policy.entryBytes + this.policy.stateBytes(this.entries);
  }

  get bytes(): number {
    return this.entryBytes + this.policy.stateBytes(this.entries);
  }

  /** What entries may take. */
  get entryBytesMax(): number {
    return this.memoryBytesMax - this.policy.stateBytes(this.entries);
  }
}
