import {
  EntryFlag,
  type EntryMemory,
  type EntryRef,
  type Hold,
  PutResult,
  type RequestId,
  RequestResult,
} from '@larder/loader';
import { type KeySlice, LarderError } from '@larder/proto';
import type { PartitionVersions } from './cluster/versions.js';
import type { Storage } from './storage/storage.js';

const NOTHING_TO_HOLD: Hold = { isHeld: true, release() {} };

/** One cache's entries in this node's storage, for its loader: adds the cache's id and the versions. */
export class OwnedMemory implements EntryMemory {
  putEpoch = 0;
  putSeq = 0;
  request: RequestId | undefined;
  result: RequestResult = RequestResult.done;

  constructor(
    readonly cache: number,
    readonly storage: Storage,
    readonly versions: PartitionVersions,
  ) {}

  serves(): boolean {
    return true;
  }

  owns(): boolean {
    return true;
  }

  refusal(partition: number): LarderError {
    return new LarderError('INTERNAL', `partition ${partition} is served`, { outcome: 'not-applied' });
  }

  find(key: KeySlice): EntryRef {
    return this.storage.find(this.cache, key);
  }

  peek(key: KeySlice): EntryRef {
    return this.storage.peek(this.cache, key);
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
    return this.storage.remainingMs(ref);
  }

  put(key: KeySlice, value: Uint8Array, start: number, end: number, ttlMs: number, flags: number): PutResult {
    const epoch = this.versions.epochOf(key.partition);
    const seq = this.versions.nextSeq(key.partition);
    const result = this.storage.put(this.cache, key, value, start, end, epoch, seq, ttlMs, flags);
    if (result === PutResult.stored) {
      this.putEpoch = epoch;
      this.putSeq = seq;
    }
    return result;
  }

  remove(key: KeySlice): boolean {
    return this.storage.remove(this.cache, key);
  }

  expire(key: KeySlice, ttlMs: number): boolean {
    return this.storage.expire(this.cache, key, ttlMs);
  }

  clean(key: KeySlice, epoch: number, seq: number): void {
    const { storage } = this;
    const ref = storage.peek(this.cache, key);
    if (ref === 0 || storage.epoch(ref) !== epoch || storage.seq(ref) !== seq) return;
    if ((storage.flags(ref) & EntryFlag.tombstone) !== 0) storage.remove(this.cache, key);
    else storage.setFlags(ref, storage.flags(ref) & ~EntryFlag.dirty);
  }

  isCommitted(): boolean {
    return true;
  }

  holdBack(): Hold {
    return NOTHING_TO_HOLD;
  }

  restore(): void {}
}
