import type { CallRecord } from './call-record.js';

/** A row as the database had it, one after the other. */
export interface RowChange {
  /** Absent: the row was deleted. */
  readonly value: string | undefined;
}

/**
 * How often a row went back to an older value: its changes in the order of the database beside the versions that the
 * node gave to the acknowledged writes. Of deletes and of writes with an unknown outcome no version is known; they are
 * passed over.
 */
export function backwardRows(changes: readonly RowChange[], calls: readonly CallRecord[]): number {
  const versions = new Map<string, bigint>();
  for (const { kind, value, version } of calls) {
    if (kind === 'set' && value !== undefined && version !== undefined) versions.set(value, version);
  }
  let newest: bigint | undefined;
  let backward = 0;
  for (const { value } of changes) {
    const version = value === undefined ? undefined : versions.get(value);
    if (version === undefined) continue;
    if (newest !== undefined && version < newest) backward++;
    else newest = version;
  }
  return backward;
}

/** What the row may be when nothing is pending any more; undefined among them: no row. */
export function finalRows(calls: readonly CallRecord[]): ReadonlySet<string | undefined> {
  const told = calls.filter(({ outcome }) => outcome !== 'failed');
  const allowed = new Set<string | undefined>();
  for (const call of told) {
    if (call.kind === 'get') continue;
    const isOverwritten = told.some(
      (other) =>
        other.kind !== 'get' && other.outcome === 'ok' && call.outcome === 'ok' && other.beganMs > call.endedMs,
    );
    if (!isOverwritten) allowed.add(call.kind === 'set' ? call.value : undefined);
  }
  if (!told.some(({ kind, outcome }) => kind !== 'get' && outcome === 'ok')) allowed.add(undefined);
  return narrowed(told, allowed);
}

/** A read that began when all writes had returned says which of them came last; unknown ones may still come. */
function narrowed(told: readonly CallRecord[], allowed: ReadonlySet<string | undefined>) {
  const writes = told.filter(({ kind }) => kind !== 'get');
  const lastWriteMs = Math.max(...writes.filter(({ outcome }) => outcome === 'ok').map(({ endedMs }) => endedMs));
  const last = told
    .filter(({ kind, beganMs }) => kind === 'get' && beganMs > lastWriteMs)
    .reduce<CallRecord | undefined>((a, b) => (a === undefined || b.endedMs > a.endedMs ? b : a), undefined);
  if (last === undefined) return allowed;
  const late = writes.filter(({ outcome }) => outcome === 'unknown');
  const seen = last.result as string | undefined;
  return new Set([seen, ...late.map((write) => (write.kind === 'set' ? write.value : undefined))]);
}
