import {
  EntryFlag,
  type EntryMemory,
  type EntryRef,
  type Hold,
  type HoldSink,
  hashAt,
  hashCount,
  type MissCause,
  PutResult,
  type RequestId,
  RequestResult,
  TAG_HASH_BYTES,
  type TagHashes,
  tagHashes,
  trailerBytes,
  withTrailer,
} from '@larder/loader';
import type { KeySlice, LarderError } from '@larder/proto';
import type { Storage } from '../storage/storage.js';

const WITHOUT_VALUE = EntryFlag.tombstone | EntryFlag.negative;
const NO_TAGS: TagHashes = Buffer.alloc(0);

/** The reading half of one cache's memory, over the storage of a node. */
export abstract class StoredEntries implements EntryMemory {
  graceMs = 0;
  putEpoch = 0;
  putSeq = 0;
  tags: TagHashes | undefined;
  request: RequestId | undefined;
  result: RequestResult = RequestResult.done;

  constructor(
    readonly cache: number,
    readonly storage: Storage,
  ) {}

  find(key: KeySlice): EntryRef {
    return this.storage.find(this.cache, key);
  }

  peek(key: KeySlice): EntryRef {
    return this.storage.peek(this.cache, key);
  }

  tagCount(ref: EntryRef): number {
    const trailer = this.storage.storedBytes(ref) - this.storage.valueBytes(ref);
    return trailer === 0 ? 0 : (trailer - trailerBytes(0)) / TAG_HASH_BYTES;
  }

  missCause(key: KeySlice): MissCause {
    return this.storage.missCause(this.cache, key);
  }

  noteMissCause(key: KeySlice, cause: MissCause): void {
    this.storage.noteMissCause(this.cache, key, cause);
  }

  put(key: KeySlice, value: Uint8Array, start: number, end: number, ttlMs: number, flags: number): PutResult {
    const { tags } = this;
    const keptMs = this.keptMs(ttlMs, flags);
    if (tags === undefined) return this.putStored(key, value, start, end, keptMs, flags);
    this.tags = undefined;
    const stored = withTrailer(value, start, end, tags);
    const result = this.putStored(key, stored, 0, stored.length, keptMs, flags | EntryFlag.tagged);
    if (result !== PutResult.stored) this.tags = tags;
    return result;
  }

  flags(ref: EntryRef): number {
    return this.storage.flags(ref);
  }

  valueBytes(ref: EntryRef): number {
    return this.storage.valueBytes(ref);
  }

  copyValue(ref: EntryRef, from: number, to: number, target: Uint8Array, at: number): void {
    this.storage.copyValue(ref, from, to, target, at);
  }

  epoch(ref: EntryRef): number {
    return this.storage.epoch(ref);
  }

  seq(ref: EntryRef): number {
    return this.storage.seq(ref);
  }

  remainingMs(ref: EntryRef): number {
    const { graceMs, storage } = this;
    const keptMs = storage.remainingMs(ref);
    if (graceMs === 0 || keptMs < 0) return keptMs;
    const flags = storage.flags(ref);
    if ((flags & WITHOUT_VALUE) !== 0) return keptMs;
    return Math.max((flags & EntryFlag.dirty) === 0 ? 0 : 1, keptMs - graceMs);
  }

  /** How long the storage is to keep an entry with that life. */
  protected keptMs(ttlMs: number, flags: number): number {
    return ttlMs === 0 || (flags & WITHOUT_VALUE) !== 0 ? ttlMs : ttlMs + this.graceMs;
  }

  /** Of these tags those that entries of the partition may have; undefined: none, or without tags, no entries. */
  protected present(partition: number, tags: TagHashes | undefined): TagHashes | undefined {
    const { cache, storage } = this;
    if (tags === undefined) return storage.entriesOfPartition(partition) === 0 ? undefined : NO_TAGS;
    const found: number[] = [];
    for (let index = 0; index < hashCount(tags); index++) {
      const hash = hashAt(tags, index);
      if (storage.mayHaveTag(cache, partition, hash)) found.push(hash);
    }
    return found.length === 0 ? undefined : tagHashes(found);
  }

  abstract serves(partition: number): boolean;
  abstract keeps(partition: number): boolean;
  abstract owns(partition: number): boolean;
  abstract refusal(partition: number): LarderError;
  abstract invalidate(partition: number, tags: TagHashes | undefined): boolean;
  /** What is put has the trailer of its tags already, if it has any. `keptMs` is what storage and copies are told: life and grace. */
  protected abstract putStored(
    key: KeySlice,
    stored: Uint8Array,
    start: number,
    end: number,
    keptMs: number,
    flags: number,
  ): PutResult;
  abstract remove(key: KeySlice): boolean;
  abstract expire(key: KeySlice, ttlMs: number): boolean;
  abstract clean(key: KeySlice, epoch: number, seq: number): void;
  abstract isCommitted(ref: EntryRef, partition: number): boolean;
  abstract keepBack(partition: number): () => void;
  abstract holdBack(key: KeySlice, sink: HoldSink): Hold;
  abstract restore(key: KeySlice): void;
}
