import { EntryFlag } from '@larder/loader';
import { packedKey, packedValue } from '@larder/proto';
import type { CopyEntries } from './copy-entries.js';
import { hasValue, isInvalidation, type ReplicatedRecord } from './record.js';

/** Entries of a copy in a plain map, for tests. */
export class MemoryEntries implements CopyEntries {
  readonly records = new Map<string, ReplicatedRecord>();
  ready = true;

  get count(): number {
    return this.records.size;
  }

  /** There is no room for anything. */
  full = false;

  apply(record: ReplicatedRecord): boolean {
    if (this.full) return false;
    if (isInvalidation(record)) {
      for (const [key, { flags }] of this.records) if ((flags & EntryFlag.dirty) === 0) this.records.delete(key);
      return true;
    }
    const key = Buffer.from(packedKey(record)).toString();
    if (!hasValue(record)) this.records.delete(key);
    else this.records.set(key, record);
    return true;
  }

  clean(_cache: number, key: Uint8Array, epoch: number, seq: number): void {
    const name = Buffer.from(key).toString();
    const record = this.records.get(name);
    if (record?.epoch === epoch && record.seq === seq) {
      this.records.set(name, { ...record, flags: record.flags & ~EntryFlag.dirty });
    }
  }

  scan(cursor: number, countMax: number, visit: (record: ReplicatedRecord) => void): number {
    const all = [...this.records.values()];
    for (const record of all.slice(cursor, cursor + countMax)) visit(record);
    return cursor + countMax < all.length ? cursor + countMax : 0;
  }

  clear(): void {
    this.records.clear();
  }

  text(key: string): string | undefined {
    const record = this.records.get(key);
    const value = record && packedValue(record);
    return value === undefined ? undefined : Buffer.from(value).toString();
  }
}
