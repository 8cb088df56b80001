import { EntryFlag } from '@larder/loader';
import {
  type CopyEntries,
  hasValue,
  isInvalidation,
  packedKey,
  packedValue,
  type ReplicatedRecord,
  type Replicator,
} from '@larder/node/internal';
import type { SimulatedProcess } from './simulated-process.js';

/** One copy's entries in a simulated node: a plain map. */
export interface SimulatedEntry {
  readonly record: ReplicatedRecord;
  /** Of the node's monotonic clock; Infinity: never. */
  readonly expiresMs: number;
  dirty: boolean;
}

const BUCKETS = 4;

export class SimulatedEntries implements CopyEntries {
  readonly entries = new Map<string, SimulatedEntry>();
  /** What took away the keys that are not there, for the checkers. */
  readonly deleted = new Map<string, ReplicatedRecord>();
  /** By cache: its last invalidation, also of keys that this copy never had. */
  readonly invalidated = new Map<number, ReplicatedRecord>();
  /** Keys that an owner has a statement under way for: at the owner, and at those who heard of it. */
  readonly unsure = new Map<string, ReplicatedRecord>();
  /** It takes a while until an older copy is gone. */
  readonly #readyMs: number;

  constructor(
    readonly process: SimulatedProcess,
    readyAfterMs: number,
  ) {
    this.#readyMs = process.monotonicMs() + readyAfterMs;
  }

  get count(): number {
    return this.entries.size;
  }

  get ready(): boolean {
    return this.process.monotonicMs() >= this.#readyMs;
  }

  apply(record: ReplicatedRecord): boolean {
    if (isInvalidation(record)) {
      this.#invalidate(record);
      return true;
    }
    const key = keyText(packedKey(record));
    if ((record.flags & EntryFlag.unsure) !== 0) this.unsure.set(key, record);
    else this.unsure.delete(key);
    if (!hasValue(record) && (record.flags & EntryFlag.tombstone) === 0) {
      this.entries.delete(key);
      this.deleted.set(key, record);
      return true;
    }
    const expiresMs = record.ttlMs === 0 ? Number.POSITIVE_INFINITY : this.process.monotonicMs() + record.ttlMs;
    this.entries.set(key, { record, expiresMs, dirty: (record.flags & EntryFlag.dirty) !== 0 });
    return true;
  }

  #invalidate(record: ReplicatedRecord): void {
    this.invalidated.set(record.cache, record);
    for (const [key, { record: held, dirty }] of this.entries) {
      if (dirty || held.cache !== record.cache) continue;
      this.entries.delete(key);
      this.deleted.set(key, record);
    }
  }

  /** The owner's part of a forget record: it keeps what it has. */
  keep(record: ReplicatedRecord): void {
    const key = keyText(packedKey(record));
    this.unsure.set(key, record);
    if (!this.entries.has(key)) this.deleted.set(key, record);
  }

  clean(_cache: number, key: Uint8Array, epoch: number, seq: number): void {
    const entry = this.entries.get(keyText(key));
    if (entry === undefined || entry.record.epoch !== epoch || entry.record.seq !== seq) return;
    if (!hasValue(entry.record)) this.apply({ ...entry.record, flags: 0 });
    else entry.dirty = false;
  }

  /** Who copies learns of unsure keys as well, and gets no entry of them. */
  scan(cursor: number, _countMax: number, visit: (record: ReplicatedRecord) => void): number {
    const inBucket = (key: string): boolean => key.charCodeAt(key.length - 1) % BUCKETS === cursor;
    for (const [key, record] of this.unsure) if (inBucket(key)) visit({ ...record, request: undefined });
    for (const [key, { record, expiresMs, dirty }] of this.entries) {
      if (!inBucket(key) || this.unsure.has(key)) continue;
      const ttlMs = expiresMs === Number.POSITIVE_INFINITY ? 0 : Math.max(1, expiresMs - this.process.monotonicMs());
      const flags = dirty ? record.flags : record.flags & ~EntryFlag.dirty;
      visit({ ...record, ttlMs, flags, request: undefined });
    }
    return cursor + 1 === BUCKETS ? 0 : cursor + 1;
  }

  clear(): void {
    this.entries.clear();
    this.deleted.clear();
    this.invalidated.clear();
    this.unsure.clear();
  }

  /** The last record of the key that this copy knows of. */
  last(key: string): ReplicatedRecord | undefined {
    return this.unsure.get(key) ?? this.entries.get(key)?.record ?? this.deleted.get(key);
  }

  value(key: string): string | undefined {
    const record = this.entries.get(key)?.record;
    const value = record && packedValue(record);
    return value === undefined ? undefined : valueText(value);
  }
}

export function entriesOf(replicator: Replicator): SimulatedEntries {
  return replicator.entries as SimulatedEntries;
}

export function keyText(key: Uint8Array): string {
  return Buffer.prototype.latin1Slice.call(key, 0, key.length);
}

export function valueText(value: Uint8Array): string {
  return Buffer.prototype.latin1Slice.call(value, 0, value.length);
}
