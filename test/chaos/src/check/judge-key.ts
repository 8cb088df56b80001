/**
 * What one key's history says: nothing wrong, reads that were stale, or acknowledged writes that are gone.
 *
 * The simulator's search says whether there is any order of the calls that explains what they returned. Where there is
 * none, the calls are taken in the order in which they returned, and each that contradicts those before it is set aside.
 * What was set aside is a stale read if a later read shows what it should have seen, and a lost write if none does.
 */
import type { Call } from '../../../simulation/dist/history.js';
import { checkLinearizability } from '../../../simulation/dist/linearizability.js';
import type { CallRecord } from './call-record.js';

export interface KeyVerdict {
  readonly lost: number;
  readonly staleReads: number;
  /** The search gave up. */
  readonly undecided: boolean;
  /** The calls that contradict those before them. */
  readonly contradictions: readonly CallRecord[];
}

const FINE: KeyVerdict = { lost: 0, staleReads: 0, undecided: false, contradictions: [] };

/** The key was never written before the first of these calls. */
export function judgeKey(records: readonly CallRecord[]): KeyVerdict {
  const told = withoutIdle(records.filter((record) => record.outcome !== 'failed'));
  const verdict = checkLinearizability(told.map(callOf));
  if (verdict === 'linearizable') return FINE;
  if (verdict === 'undecided') return { ...FINE, undecided: true };
  return classify(told, contradictionsOf(told));
}

/**
 * Without the unknown writes that can explain nothing; after an outage there are dozens of them, and the search would try
 * each everywhere. A set whose value nobody has read is of use to a delete that found something, and to nothing else. A
 * delete is of use to what found nothing. Of writes that are of the same use the earliest will do at any later time.
 */
function withoutIdle(told: readonly CallRecord[]): CallRecord[] {
  const known = told.filter(({ outcome }) => outcome === 'ok');
  const seen = new Set(known.map(({ kind, result }) => (kind === 'get' ? result : undefined)));
  const finds = known.filter(({ kind, result }) => kind === 'delete' && result === true).length;
  const misses = known.filter(({ kind, result }) => kind !== 'set' && !result).length;
  const unknown = told.filter(({ outcome }) => outcome === 'unknown').sort((a, b) => a.beganMs - b.beganMs);
  const unseen = unknown.filter(({ kind, value }) => kind === 'set' && !seen.has(value));
  const deletes = unknown.filter(({ kind }) => kind === 'delete');
  const idle = new Set([...unseen.slice(finds), ...deletes.slice(misses)]);
  return told.filter((record) => !idle.has(record));
}

function callOf(record: CallRecord): Call {
  const { kind, cache, client, beganMs, value, result } = record;
  const common = { client, invokedMs: beganMs, returnedMs: returnOf(record) };
  if (kind === 'get') return { ...common, operation: { kind }, result: result as string | undefined };
  if (kind === 'set') return { ...common, operation: { kind, value: value as string, ttlMs: 0 }, result: true };
  // Write-behind has not asked the database yet: whether there was a row it cannot say.
  if (cache === 'behind') return { ...common, operation: { kind: 'remove' }, result: undefined };
  return { ...common, operation: { kind }, result: result as boolean };
}

function returnOf({ outcome, endedMs }: CallRecord): number {
  return outcome === 'unknown' ? Number.POSITIVE_INFINITY : endedMs;
}

function inOrderOfReturn(records: readonly CallRecord[]): CallRecord[] {
  return [...records].sort((a, b) => returnOf(a) - returnOf(b));
}

/** Reads and deletes; a set returns nothing that could be wrong. */
function contradictionsOf(told: readonly CallRecord[]): Set<CallRecord> {
  const found = new Set<CallRecord>();
  for (const record of inOrderOfReturn(told)) {
    if (record.outcome === 'unknown') break;
    if (record.kind === 'set') continue;
    const until = told.filter((other) => other.beganMs <= record.endedMs && !isSetAside(other, found));
    const calls = until.map((other) => {
      const call = callOf(other);
      const isOpen = found.has(other) || call.returnedMs > record.endedMs;
      return isOpen ? { ...call, returnedMs: Number.POSITIVE_INFINITY } : call;
    });
    if (checkLinearizability(calls) === 'not-linearizable') found.add(record);
  }
  return found;
}

/** A delete happened all the same, whatever it said; a read is simply left out. */
function isSetAside(record: CallRecord, found: ReadonlySet<CallRecord>): boolean {
  return found.has(record) && record.kind === 'get';
}

function classify(told: readonly CallRecord[], contradictions: ReadonlySet<CallRecord>): KeyVerdict {
  let lost = 0;
  let staleReads = 0;
  let run = 0;
  const endRun = (isStale: boolean): void => {
    if (isStale) staleReads += run;
    else if (run > 0) lost++;
    run = 0;
  };
  for (const record of inOrderOfReturn(told)) {
    if (record.outcome === 'unknown') break;
    if (contradictions.has(record)) run++;
    else if (record.kind === 'get') endRun(true);
    else endRun(false);
  }
  endRun(false);
  return { lost, staleReads, undecided: false, contradictions: [...contradictions] };
}
