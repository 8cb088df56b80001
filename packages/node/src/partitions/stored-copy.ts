import { EntryFlag, type EntryRef, MissCause, PutResult, RequestResult } from '@larder/loader';
import { type KeySlice, NO_VALUE, packedValue } from '@larder/proto';
import type { CopyEntries } from '../replication/copy-entries.js';
import { hasValue, isInvalidation, type ReplicatedRecord } from '../replication/record.js';
import type { Storage } from '../storage/storage.js';
import { cleanEntry } from './clean-entry.js';
import { wholeKey } from './key-copy.js';
import type { Removals } from './removals.js';

const WITHOUT_VALUE = EntryFlag.tombstone | EntryFlag.negative;

/** As much as a frame of a link; one value may go beyond it. */
const SCAN_BYTES_MAX = 64 * 1024;

/** The entries of one copy of a partition where they lie: in the node's storage, among those of all others. */
export class StoredCopy implements CopyEntries {
  constructor(
    readonly partition: number,
    readonly storage: Storage,
    readonly removals: Removals,
    /** Caches that this node has. Others may have more, at the end of their configuration. */
    readonly cacheCount: number,
    readonly cacheMissing: (cache: number) => void,
  ) {}

  get count(): number {
    return this.storage.entriesOfPartition(this.partition);
  }

  get ready(): boolean {
    return !this.storage.isDropping(this.partition);
  }

  /** False: there is no room for it, and nothing that may be evicted; or it is of a cache that this node does not have. */
  apply(record: ReplicatedRecord): boolean {
    const { cache, bytes, epoch, seq, ttlMs, flags } = record;
    if (isInvalidation(record)) {
      if (cache < this.cacheCount) this.storage.invalidate(cache, this.partition, seq, packedValue(record));
      return true;
    }
    const { partition } = this;
    const key = { bytes, start: record.keyStart, end: record.keyEnd, partition };
    if (!hasValue(record) && (flags & WITHOUT_VALUE) === 0) {
      this.storage.remove(cache, key, this.#causeOf(record, key));
      return true;
    }
    if (cache >= this.cacheCount) {
      this.cacheMissing(cache);
      return false;
    }
    const result = this.storage.put(cache, key, bytes, record.valueStart, record.valueEnd, epoch, seq, ttlMs, flags);
    this.removals.submit();
    return result === PutResult.stored;
  }

  clean(cache: number, key: Uint8Array, epoch: number, seq: number): void {
    cleanEntry(this.storage, cache, wholeKey(key, this.partition), epoch, seq);
  }

  /** Stops early at SCAN_BYTES_MAX: what is visited leaves as one message. */
  scan(cursor: number, countMax: number, visit: (record: ReplicatedRecord) => void): number {
    const { storage, partition } = this;
    let bytes = 0;
    const visitOne = (ref: EntryRef): void => {
      if ((storage.flags(ref) & EntryFlag.unsure) !== 0) return;
      bytes += storage.keyBytes(ref) + storage.storedBytes(ref);
      visit(storedRecord(storage, ref));
    };
    let next = cursor;
    for (let count = 0; count < countMax && bytes < SCAN_BYTES_MAX; count++) {
      next = storage.scanPartition(partition, next, 1, visitOne);
      if (next === 0) break;
    }
    return next;
  }

  /** What the owner removed by itself is of no request: it had expired, or was evicted. */
  #causeOf({ cache, request, result }: ReplicatedRecord, key: KeySlice): MissCause {
    if (request !== undefined || result !== RequestResult.notFound) return MissCause.invalidated;
    const ref = this.storage.peek(cache, key);
    return ref !== 0 && this.storage.remainingMs(ref) === 1 ? MissCause.expired : MissCause.evicted;
  }

  clear(): void {
    this.storage.beginDrop(this.partition);
  }
}

function storedRecord(storage: Storage, ref: EntryRef): ReplicatedRecord {
  const flags = storage.flags(ref);
  const has = (flags & WITHOUT_VALUE) === 0;
  const keyEnd = storage.keyBytes(ref);
  const valueBytes = has ? storage.storedBytes(ref) : 0;
  const bytes = Buffer.allocUnsafe(keyEnd + valueBytes);
  storage.copyKey(ref, bytes, 0);
  if (has) storage.copyValue(ref, 0, valueBytes, bytes, keyEnd);
  return {
    epoch: storage.epoch(ref),
    seq: storage.seq(ref),
    cache: storage.cacheOf(ref),
    bytes,
    keyStart: 0,
    keyEnd,
    valueStart: has ? keyEnd : NO_VALUE,
    valueEnd: has ? bytes.length : NO_VALUE,
    ttlMs: Math.max(0, storage.remainingMs(ref)),
    flags,
    request: undefined,
    result: 0,
  };
}
