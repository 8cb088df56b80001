import type { KeySlice } from '@larder/proto';
import type { DeadLetter } from './dead-letters.js';
import { EntryFlag, type EntryMemory } from './entry-memory.js';
import { isHidden, isOver } from './is-hidden.js';
import { keyText } from './key-text.js';
import { MissCause, missCauseName } from './miss-cause.js';
import type { LoggedCall } from './origins/call-log.js';
import type { MeasuredOrigin } from './origins/measured-origin.js';
import type { ResolvedCachePolicy } from './policy.js';
import type { SingleFlight } from './single-flight.js';

/** What an owner knows of one key: the answer to "why is this value old", "why is it not there", "where is my write". */
export interface KeyExplanation {
  /**
   * `negative`: known to have no row. `deleted`: a delete that is not in the origin yet. `stale`: its life is over, and it
   * is kept for when the origin fails.
   */
  readonly state: 'present' | 'absent' | 'negative' | 'deleted' | 'stale';
  /** 0 if there is nothing in memory. */
  readonly epoch: number;
  readonly seq: number;
  readonly valueBytes: number;
  /** -1: it never expires. 0: there is nothing. */
  readonly remainingMs: number;
  /** Undefined: nobody knows. */
  readonly age: EntryAge | undefined;
  readonly tags: number;
  readonly isDirty: boolean;
  /** How often the origin has refused what is dirty; 0: it has not. */
  readonly refusals: number;
  readonly isUnsure: boolean;
  /** A load is under way, and so many gets wait for it. */
  readonly isLoading: boolean;
  readonly waiting: number;
  readonly lastLoad: LoggedCall | undefined;
  readonly lastWrite: LoggedCall | undefined;
  /** Why it is absent; of what is there, why it was absent before, if that is still known. */
  readonly missCause: keyof typeof MissCause;
}

export interface EntryAge {
  readonly ageMs: number;
  /** What it is known from: the origin's last load or write of the key, or, as its upper bound, the cache's ttl. */
  readonly from: 'load' | 'write' | 'ttl';
}

export interface ExplainedParts {
  readonly memory: EntryMemory;
  readonly policy: ResolvedCachePolicy;
  readonly flights: SingleFlight;
  readonly origin: MeasuredOrigin | undefined;
  deadLetters(limit: number): readonly DeadLetter[];
}

/** Neither counts as a use nor loads. */
export function explainKey(parts: ExplainedParts, key: KeySlice): KeyExplanation {
  const { memory, policy, flights, origin } = parts;
  const text = keyText(key);
  const ref = memory.peek(key);
  const isThere = ref !== 0;
  const flags = isThere ? memory.flags(ref) : 0;
  const isStale = isThere && isOver(memory, ref);
  const remainingMs = isThere ? memory.remainingMs(ref) : 0;
  const flight = text === undefined ? undefined : flights.current(text);
  const lastLoad = text === undefined ? undefined : origin?.lastLoad(text);
  const lastWrite = text === undefined ? undefined : origin?.lastWrite(text);
  return {
    state: isStale ? 'stale' : isThere ? stateOf(flags) : 'absent',
    epoch: isThere ? memory.epoch(ref) : 0,
    seq: isThere ? memory.seq(ref) : 0,
    valueBytes: isThere ? memory.valueBytes(ref) : 0,
    remainingMs,
    age: isThere ? ageOf(policy, remainingMs, flags, lastLoad, lastWrite) : undefined,
    tags: isThere ? memory.tagCount(ref) : 0,
    isDirty: (flags & EntryFlag.dirty) !== 0,
    refusals: (flags & EntryFlag.dirty) === 0 ? 0 : refusalsOf(parts, text),
    isUnsure: (flags & EntryFlag.unsure) !== 0,
    isLoading: flight !== undefined,
    waiting: flight?.waiters.length ?? 0,
    lastLoad,
    lastWrite,
    missCause: missCauseName(isStale ? MissCause.expired : memory.missCause(key)),
  };
}

function refusalsOf({ deadLetters }: ExplainedParts, text: string | undefined): number {
  return deadLetters(Number.POSITIVE_INFINITY).find(({ key }) => key === text)?.attempts ?? 0;
}

function stateOf(flags: number): KeyExplanation['state'] {
  if (!isHidden(flags)) return 'present';
  return (flags & EntryFlag.tombstone) !== 0 ? 'deleted' : 'negative';
}

/** A dirty entry is younger than anything that the origin was told. */
function ageOf(
  { ttlMs, idleMs }: ResolvedCachePolicy,
  remainingMs: number,
  flags: number,
  lastLoad: LoggedCall | undefined,
  lastWrite: LoggedCall | undefined,
): EntryAge | undefined {
  const isDirty = (flags & EntryFlag.dirty) !== 0;
  const loadedMs = lastLoad?.outcome === 'found' && !isDirty ? lastLoad.agoMs : Number.POSITIVE_INFINITY;
  const writtenMs = lastWrite?.outcome === 'written' && !isDirty ? lastWrite.agoMs : Number.POSITIVE_INFINITY;
  const ageMs = Math.min(loadedMs, writtenMs);
  if (ageMs !== Number.POSITIVE_INFINITY) return { ageMs, from: loadedMs < writtenMs ? 'load' : 'write' };
  const isByTtl = ttlMs > 0 && idleMs === 0 && remainingMs > 0 && remainingMs <= ttlMs;
  return isByTtl ? { ageMs: ttlMs - remainingMs, from: 'ttl' } : undefined;
}
