import { Buffer } from 'node:buffer';
import {
  EntryFlag,
  type EntryRef,
  type Hold,
  type HoldSink,
  MissCause,
  PutResult,
  type RequestId,
  RequestResult,
  type TagHashes,
} from '@larder/loader';
import { type KeySlice, type LarderError, NO_VALUE } from '@larder/proto';
import type { CommitSink } from '../replication/pending-window.js';
import { invalidationRecord } from '../replication/record.js';
import type { Replicator } from '../replication/replicator.js';
import type { Storage } from '../storage/storage.js';
import { ByteSlabs, copyBytes, SLAB_SHARE_BYTES_MAX } from './byte-slabs.js';
import { keyCopy } from './key-copy.js';
import type { OwnedPartitions } from './owned-partitions.js';
import type { Removals } from './removals.js';
import { StoredEntries } from './stored-entries.js';

const NO_BYTES = new Uint8Array(0);

/**
 * One cache's memory on a node of a cluster: what its loader writes goes into the storage at once, and as a record to
 * the partition's other copies. While there are none, nothing is recorded.
 */
export class PartitionMemory extends StoredEntries {
  readonly #slabs = new ByteSlabs();

  constructor(
    cache: number,
    storage: Storage,
    readonly partitions: OwnedPartitions,
    readonly removals: Removals,
  ) {
    super(cache, storage);
  }

  serves(partition: number): boolean {
    return this.partitions.servesNow(partition);
  }

  keeps(partition: number): boolean {
    return this.partitions.keeps(partition);
  }

  owns(partition: number): boolean {
    return this.partitions.owner(partition) !== undefined;
  }

  refusal(partition: number): LarderError {
    return this.partitions.refusal(partition);
  }

  override missCause(key: KeySlice): MissCause {
    const cause = super.missCause(key);
    return cause === MissCause.cold && this.partitions.isEmptied(key.partition) ? MissCause.moved : cause;
  }

  protected putStored(
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    keptMs: number,
    flags: number,
  ): PutResult {
    const { cache, storage } = this;
    const request = this.#takeRequest();
    const result = this.#takeResult();
    const replicator = this.partitions.owner(key.partition);
    if (replicator === undefined) return PutResult.away;
    const { epoch, nextSeq: seq } = replicator;
    const stored = storage.put(cache, key, value, start, end, epoch, seq, keptMs, flags);
    if (stored === PutResult.stored) {
      this.putEpoch = epoch;
      this.putSeq = seq;
      if (replicator.isAlone) {
        replicator.advance(request, result);
      } else {
        const hidden = (flags & (EntryFlag.tombstone | EntryFlag.negative)) !== 0;
        if (hidden) this.#submit(replicator, key, NO_BYTES, NO_VALUE, NO_VALUE, keptMs, flags, request, result);
        else this.#submit(replicator, key, value, start, end, keptMs, flags, request, result);
      }
    }
    this.removals.submit();
    return stored;
  }

  remove(key: KeySlice): boolean {
    const request = this.#takeRequest();
    const result = this.#takeResult();
    const replicator = this.partitions.owner(key.partition);
    if (replicator === undefined) return false;
    const existed = this.storage.remove(this.cache, key);
    if (replicator.isAlone) replicator.advance(request, result);
    else if (existed || result !== RequestResult.notFound)
      this.#submitWithoutValue(replicator, key, 0, request, result);
    else if (request !== undefined) replicator.remember(request, result);
    this.removals.submit();
    return existed;
  }

  invalidate(partition: number, tags: TagHashes | undefined): boolean {
    const replicator = this.partitions.owner(partition);
    const found = replicator && this.present(partition, tags);
    if (replicator === undefined || found === undefined) return false;
    const { epoch, nextSeq: seq } = replicator;
    const { cache } = this;
    const value = tags && found;
    this.storage.invalidate(cache, partition, seq, value);
    if (replicator.isAlone) replicator.advance();
    else this.partitions.submit(replicator, invalidationRecord({ epoch, seq, cache, value }));
    return true;
  }

  expire(key: KeySlice, ttlMs: number): boolean {
    return this.#expire(key, this.keptMs(ttlMs, 0));
  }

  #expire(key: KeySlice, keptMs: number): boolean {
    const replicator = this.partitions.owner(key.partition);
    if (replicator === undefined) return false;
    if (replicator.isAlone && this.request === undefined) return this.storage.expire(this.cache, key, keptMs);
    const ref = this.storage.peek(this.cache, key);
    // The others have forgotten it, and will hear of the life of what the origin is being given.
    const isUnsure = ref !== 0 && (this.storage.flags(ref) & EntryFlag.unsure) !== 0;
    if (isUnsure) return this.storage.expire(this.cache, key, keptMs);
    if (ref !== 0) return this.#putAgain(key, ref, keptMs) === PutResult.stored;
    const request = this.#takeRequest();
    if (request !== undefined) replicator.remember(request, RequestResult.notFound);
    return false;
  }

  clean(key: KeySlice, epoch: number, seq: number): void {
    this.partitions.owner(key.partition)?.clean(this.cache, keyCopy(key), { epoch, seq });
    this.partitions.scheduleFlush();
  }

  isCommitted(ref: EntryRef, partition: number): boolean {
    const replicator = this.partitions.owner(partition);
    return replicator !== undefined && this.storage.seq(ref) <= replicator.committedSeq;
  }

  keepBack(partition: number): () => void {
    const replicator = this.partitions.owner(partition)!;
    replicator.hold();
    return () => replicator.release();
  }

  holdBack(key: KeySlice, sink: HoldSink): Hold {
    const replicator = this.partitions.owner(key.partition)!;
    const request = this.#takeRequest();
    const hold = new PartitionHold(replicator, sink, this.partitions);
    // Also where there is no other copy yet: one that is begun now must not get it.
    this.#markUnsure(key);
    if (replicator.isAlone && request === undefined) return hold;
    const seq = replicator.nextSeq;
    this.#submitWithoutValue(replicator, key, EntryFlag.unsure, request, RequestResult.begun);
    hold.await(seq);
    return hold;
  }

  restore(key: KeySlice): void {
    const ref = this.storage.peek(this.cache, key);
    const replicator = this.partitions.owner(key.partition);
    if (replicator === undefined) return;
    this.result = RequestResult.refused;
    if (ref !== 0) {
      this.#putAgain(key, ref, Math.max(0, this.storage.remainingMs(ref)));
      return;
    }
    const request = this.#takeRequest();
    const result = this.#takeResult();
    if (request === undefined) return;
    // The others know that it was begun.
    if (replicator.isAlone) replicator.remember(request, result);
    else this.#submitWithoutValue(replicator, key, 0, request, result);
  }

  /** The same value under the next version, unsure no more. */
  #putAgain(key: KeySlice, ref: EntryRef, keptMs: number): PutResult {
    const { storage } = this;
    const flags = storage.flags(ref) & ~EntryFlag.unsure;
    const value = Buffer.allocUnsafe(storage.storedBytes(ref));
    storage.copyValue(ref, 0, value.length, value, 0);
    return this.putStored(key, value, 0, value.length, keptMs, flags);
  }

  #markUnsure(key: KeySlice): void {
    const ref = this.storage.peek(this.cache, key);
    if (ref !== 0) this.storage.setFlags(ref, this.storage.flags(ref) | EntryFlag.unsure);
  }

  #submitWithoutValue(
    replicator: Replicator,
    key: KeySlice,
    flags: number,
    request: RequestId | undefined,
    result: number,
  ): void {
    this.#submit(replicator, key, NO_BYTES, NO_VALUE, NO_VALUE, 0, flags, request, result);
  }

  #submit(
    replicator: Replicator,
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    ttlMs: number,
    flags: number,
    request: RequestId | undefined,
    result: number,
  ): void {
    const { epoch, nextSeq: seq } = replicator;
    const { cache } = this;
    const length = key.end - key.start + end - start;
    const isShared = length <= SLAB_SHARE_BYTES_MAX;
    const keyStart = isShared ? this.#slabs.take(length) : 0;
    const bytes = isShared ? this.#slabs.slab : new Uint8Array(length);
    const keyEnd = keyStart + key.end - key.start;
    copyBytes(key.bytes, key.start, key.end, bytes, keyStart);
    copyBytes(value, start, end, bytes, keyEnd);
    const hasValue = start !== NO_VALUE;
    this.partitions.submit(replicator, {
      epoch,
      seq,
      cache,
      bytes,
      keyStart,
      keyEnd,
      valueStart: hasValue ? keyEnd : NO_VALUE,
      valueEnd: hasValue ? keyStart + length : NO_VALUE,
      ttlMs,
      flags,
      request,
      result,
    });
  }

  #takeRequest(): RequestId | undefined {
    const { request } = this;
    this.request = undefined;
    return request;
  }

  #takeResult(): RequestResult {
    const { result } = this;
    this.result = RequestResult.done;
    return result;
  }
}

/** A partition that stays with its owner until a statement of the origin has ended. */
class PartitionHold implements Hold, CommitSink {
  isHeld = true;
  readonly epoch: number;
  readonly seq: number;

  constructor(
    readonly replicator: Replicator,
    readonly sink: HoldSink,
    readonly partitions: OwnedPartitions,
  ) {
    this.epoch = replicator.epoch;
    this.seq = replicator.nextSeq;
    replicator.hold();
  }

  await(seq: number): void {
    if (seq <= this.replicator.committedSeq) return;
    this.isHeld = false;
    this.replicator.observe(seq, this, 0);
  }

  committed(): void {
    this.isHeld = true;
    this.sink.held();
  }

  lost(): void {
    this.sink.holdLost(this.partitions.refusal(this.replicator.partition));
  }

  release(): void {
    this.replicator.release();
  }
}
