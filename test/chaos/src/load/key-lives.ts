import { CACHE_KINDS, type CacheKind } from '../check/call-record.js';

/**
 * Which keys the clients use at a moment. Each of a few hundred slots has one key at a time and takes a new one when the
 * life of that is over, so that histories end, can be judged as a whole and be forgotten. Lives differ in length: at any
 * fault there are keys that were just written and keys that have rested for a minute. All processes reckon with the same
 * clock and origin, and so agree without a word.
 */
export interface KeyLife {
  readonly cache: CacheKind;
  readonly key: string;
  readonly slot: number;
  readonly endMs: number;
}

/** A third of them for each kind of cache. */
export const SLOT_COUNT = 300;
const LIVES_MS = [4_000, 9_000, 20_000, 60_000];

/** The key of a slot, `originMs` being the beginning of the run. */
export function keyLifeAt(slot: number, nowMs: number, originMs: number): KeyLife {
  const lifeMs = LIVES_MS[Math.floor(slot / CACHE_KINDS.length) % LIVES_MS.length] as number;
  // Lives do not end all at once.
  const shiftMs = (slot * 997) % lifeMs;
  const generation = Math.floor((nowMs - originMs + shiftMs) / lifeMs);
  return {
    cache: CACHE_KINDS[slot % CACHE_KINDS.length] as CacheKind,
    key: `s${slot}-g${generation}`,
    slot,
    endMs: originMs - shiftMs + (generation + 1) * lifeMs,
  };
}
