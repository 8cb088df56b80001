import { type Hold, PutResult, type TagHashes } from '@larder/loader';
import { type KeySlice, LarderError } from '@larder/proto';
import type { Storage } from '../storage/storage.js';
import { cleanEntry } from './clean-entry.js';
import { StoredEntries } from './stored-entries.js';

/** One cache's memory without a cluster around it: everything is this process's own, and no other has a copy. */
export class LoneMemory extends StoredEntries {
  constructor(cache: number, storage: Storage) {
    super(cache, storage);
    this.putEpoch = 1;
  }

  serves(): boolean {
    return true;
  }

  keeps(): boolean {
    return true;
  }

  owns(): boolean {
    return true;
  }

  refusal(partition: number): LarderError {
    return new LarderError('INTERNAL', `partition ${partition} is served`);
  }

  protected putStored(
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    keptMs: number,
    flags: number,
  ): PutResult {
    const { cache, storage, putEpoch } = this;
    const result = storage.put(cache, key, value, start, end, putEpoch, this.putSeq + 1, keptMs, flags);
    if (result === PutResult.stored) this.putSeq++;
    return result;
  }

  remove(key: KeySlice): boolean {
    return this.storage.remove(this.cache, key);
  }

  invalidate(partition: number, tags: TagHashes | undefined): boolean {
    const found = this.present(partition, tags);
    if (found === undefined) return false;
    this.storage.invalidate(this.cache, partition, ++this.putSeq, tags && found);
    return true;
  }

  expire(key: KeySlice, ttlMs: number): boolean {
    return this.storage.expire(this.cache, key, this.keptMs(ttlMs, 0));
  }

  clean(key: KeySlice, epoch: number, seq: number): void {
    cleanEntry(this.storage, this.cache, key, epoch, seq);
  }

  isCommitted(): boolean {
    return true;
  }

  keepBack(): () => void {
    return () => {};
  }

  holdBack(): Hold {
    return { isHeld: true, epoch: this.putEpoch, seq: this.putSeq + 1, release() {} };
  }

  restore(): void {}
}
