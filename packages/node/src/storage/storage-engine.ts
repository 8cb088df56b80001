import { assert, type Clock, type Random } from '@larder/base';
import { EntryFlag, type EntryRef, MissCause, PutResult, type TagHashes, TRAILER_BYTES_MAX } from '@larder/loader';
import { KEY_BYTES_MAX, type KeySlice } from '@larder/proto';
import { Arena } from './arena.js';
import { fixedWords } from './block.js';
import { chargeOf } from './cache-space.js';
import { Chunks, chunkCount, wordsOfChunks } from './chunks.js';
import { Departures } from './departures.js';
import { Evacuation } from './evacuation.js';
import { createPolicy } from './eviction/create-policy.js';
import { ExpirySweep } from './expiry-sweep.js';
import { InvalidationSweep } from './invalidation/invalidation-sweep.js';
import { Invalidations } from './invalidation/invalidations.js';
import { Trailers } from './invalidation/trailers.js';
import { KeyHash } from './key-hash.js';
import { Lives } from './lives.js';
import { PartitionChanges } from './partition-changes.js';
import { PartitionIndex } from './partition-index.js';
import { PartitionStates } from './partition-states.js';
import { PolicyPages } from './policy-pages.js';
import { Records } from './record.js';
import { type OnRemoval, Residents } from './residents.js';
import { Room } from './room.js';
import type { CacheStorageStatistics, Storage, StorageOptions } from './storage.js';
import { checkFlags, checkPartition, checkVersion, keyTooLong } from './storage-arguments.js';

/**
 * Puts the parts together. A key is hashed (key-hash.ts), its partition's index (partition-index.ts) gives the slot,
 * the slot the record (record.ts) in the arena (arena.ts). A put makes room by its cache's policy (room.ts, eviction/),
 * then takes a block from the free lists or lets the evacuation make one.
 *
 * Two bounds hold at all times: of a cache, over what its entries are charged and its policy takes, and of the node, over
 * the live blocks of the arena and everything beside it.
 */
export class StorageEngine implements Storage {
  readonly memoryBytesMax: number;
  readonly arena: Arena;
  readonly evacuation: Evacuation;
  readonly index: PartitionIndex;
  readonly records: Records;
  readonly #chunks: Chunks;
  readonly residents: Residents;
  readonly states: PartitionStates;
  readonly changes: PartitionChanges;
  readonly #lives: Lives;
  readonly #room: Room;
  readonly #sweep: ExpirySweep;
  readonly #trailers: Trailers;
  readonly invalidations: Invalidations;
  readonly #invalidationSweep: InvalidationSweep;
  readonly #key: KeyHash;
  readonly #valueBytesMax: number;

  constructor(options: StorageOptions, clock: Clock, random: Random, onRemoval: OnRemoval) {
    this.memoryBytesMax = options.memoryBytesMax;
    this.#valueBytesMax = options.valueBytesMax;
    this.#key = new KeyHash(random.uint32(), random.uint32());
    this.arena = new Arena(options.memoryBytesMax);
    this.records = new Records(this.arena);
    this.#chunks = new Chunks(this.arena, this.records);
    this.index = new PartitionIndex(this.arena, this.records, {
      allocate: (words) => this.#room.allocate(words, undefined),
      allocateFree: (words) => this.arena.allocate(words),
    });
    const pages = new PolicyPages(this.arena, () => this.evacuation);
    this.states = new PartitionStates(options.owned ?? true);
    this.residents = new Residents(
      this.arena,
      this.records,
      this.#chunks,
      this.index,
      pages,
      this.states,
      this.#key.sibling(),
      new Departures(options.memoryBytesMax),
      onRemoval,
    );
    this.#trailers = new Trailers(this.records, this.#chunks);
    this.invalidations = new Invalidations(this.records, this.#trailers);
    this.#lives = new Lives(this.records, this.index, this.residents, this.states, this.invalidations, clock);
    this.evacuation = new Evacuation(this.arena, this.residents);
    this.changes = new PartitionChanges(this.index, this.residents, this.states, clock, (partition, slot) =>
      this.#align(partition, slot),
    );
    this.#room = new Room(
      options.memoryBytesMax,
      this.arena,
      this.evacuation,
      this.index,
      this.residents,
      this.changes,
      this.invalidations,
    );
    this.#invalidationSweep = new InvalidationSweep(
      this.index,
      this.residents,
      this.records,
      this.invalidations,
      clock,
    );
    this.#sweep = new ExpirySweep(this.index, this.states, clock, (partition, slot) =>
      this.#lives.leaveIfExpired(partition, slot),
    );
    for (const { cache, memoryBytesMax, eviction } of options.caches) {
      const policy = createPolicy(eviction, {
        words: this.arena.words,
        pages,
        memoryBytesMax,
        chargeOf: (ref) => chargeOf(this.residents.entryWords(ref)),
        endMs: (ref) => this.#lives.endMs(ref),
        integer: (below) => random.integer(below),
      });
      this.residents.addCache(cache, memoryBytesMax, policy);
      this.invalidations.addCache(cache, memoryBytesMax);
    }
  }

  find(cache: number, key: KeySlice): EntryRef {
    const ref = this.peek(cache, key);
    if (ref !== 0 && !this.residents.isAside(ref)) this.residents.space(cache).policy.use(ref, this.#key.hash);
    return ref;
  }

  peek(cache: number, key: KeySlice): EntryRef {
    const slot = this.#findSlot(cache, key);
    if (slot === 0) return 0;
    const ref = this.index.ref(slot);
    return this.#lives.isLive(ref, key.partition) ? ref : 0;
  }

  missCause(cache: number, key: KeySlice): MissCause {
    const slot = this.#findSlot(cache, key);
    const ref = slot === 0 ? 0 : this.index.ref(slot);
    if (ref !== 0 && !this.#lives.isLive(ref, key.partition)) {
      return this.#lives.causeOfEnd(ref, key.partition) === 0 ? MissCause.invalidated : MissCause.expired;
    }
    if (this.states.isDropping(key.partition)) return MissCause.moved;
    return this.residents.departures.causeOf(this.#key.hash);
  }

  noteMissCause(cache: number, key: KeySlice, cause: MissCause): void {
    this.#key.load(cache, key.bytes, key.start, key.end);
    this.residents.departures.note(this.#key.hash, cause);
  }

  cacheOf(ref: EntryRef): number {
    return this.records.cache(ref);
  }

  keyBytes(ref: EntryRef): number {
    return this.records.keyBytes(ref);
  }

  copyKey(ref: EntryRef, target: Uint8Array, at: number): void {
    this.records.copyKey(ref, target, at);
  }

  flags(ref: EntryRef): number {
    return this.records.flags(ref);
  }

  valueBytes(ref: EntryRef): number {
    const stored = this.records.valueBytes(ref);
    return (this.records.flags(ref) & EntryFlag.tagged) === 0 ? stored : stored - this.#trailers.bytes(ref);
  }

  storedBytes(ref: EntryRef): number {
    return this.records.valueBytes(ref);
  }

  copyValue(ref: EntryRef, from: number, to: number, target: Uint8Array, at: number): void {
    if (this.records.isChunked(ref)) this.#chunks.copyValue(ref, from, to, target, at);
    else this.records.copyValue(ref, from, to, target, at);
  }

  epoch(ref: EntryRef): number {
    return this.records.epoch(ref);
  }

  seq(ref: EntryRef): number {
    return this.records.seq(ref);
  }

  remainingMs(ref: EntryRef): number {
    return this.#lives.remainingMs(ref);
  }

  put(
    cache: number,
    key: KeySlice,
    value: Uint8Array,
    start: number,
    end: number,
    epoch: number,
    seq: number,
    ttlMs: number,
    flags: number,
  ): PutResult {
    checkVersion(epoch, seq);
    checkFlags(flags);
    assert(!this.states.isDropping(key.partition), 'nothing is put into a partition that is being dropped');
    const isTagged = (flags & EntryFlag.tagged) !== 0;
    if (end - start > this.#valueBytesMax + (isTagged ? TRAILER_BYTES_MAX : 0)) return PutResult.tooLarge;
    const old = this.#liveOrLeave(cache, key);
    let ref = old;
    if (old !== 0 && this.#fitsInPlace(old, end - start)) {
      this.#rewrite(old, value, start, end, flags);
    } else {
      if (old === 0) this.residents.space(cache).policy.arrive(this.#key.hash);
      const words = this.records.wordsFor(cache, this.#key.bytes, end - start);
      if (old !== 0) this.residents.align(old, key.partition);
      this.residents.replaced = old;
      const result = this.#room.make(this.residents.space(cache), words + wordsOfChunks(end - start));
      if (result !== PutResult.stored) return this.#refuse(key.partition, result);
      ref = this.#place(cache, key.partition, words, value, start, end, flags);
      if (ref === 0) return this.#refuse(key.partition, PutResult.full);
    }
    this.records.setVersion(ref, epoch, seq);
    this.#lives.set(ref, key.partition, this.#key.hash, ttlMs);
    this.residents.space(cache).policy.settle();
    if (isTagged) this.#noteTags(cache, key.partition, ref);
    return PutResult.stored;
  }

  remove(cache: number, key: KeySlice, cause: MissCause = MissCause.invalidated): boolean {
    if (this.#liveOrLeave(cache, key) === 0) return false;
    const slot = this.index.find(cache, key.partition, this.#key);
    this.residents.leave(this.index.ref(slot), slot, key.partition, this.#key.hash, 0, cause);
    return true;
  }

  expire(cache: number, key: KeySlice, ttlMs: number): boolean {
    const ref = this.#liveOrLeave(cache, key);
    if (ref === 0) return false;
    this.#lives.set(ref, key.partition, this.#key.hash, ttlMs);
    return true;
  }

  setFlags(ref: EntryRef, flags: number): void {
    checkFlags(flags);
    this.residents.setFlags(ref, flags);
    if (!this.residents.isDirty(ref)) this.#lives.cleaned(ref);
  }

  invalidate(cache: number, partition: number, seq: number, tags: TagHashes | undefined): void {
    checkPartition(partition);
    this.invalidations.invalidate(cache, partition, seq, tags);
    this.#invalidationSweep.invalidated(partition);
    this.#room.reckonAnew();
  }

  mayHaveTag(cache: number, partition: number, hash: number): boolean {
    return this.invalidations.mayHaveTag(cache, partition, hash);
  }

  scanPartition(partition: number, cursor: number, countMax: number, visit: (ref: EntryRef) => void): number {
    assert(countMax >= 1, 'a scan visits at least one entry');
    if (this.states.isDropping(partition)) return 0;
    let tag = -1;
    let count = 0;
    for (let slot = this.index.slotFrom(partition, cursor); slot !== 0; slot = this.index.slotBehind(partition, slot)) {
      if (count >= countMax && this.index.tag(slot) !== tag) return this.index.tag(slot);
      tag = this.index.tag(slot);
      count++;
      const ref = this.index.ref(slot);
      if (this.#lives.isLive(ref, partition)) visit(ref);
    }
    return 0;
  }

  entriesOfPartition(partition: number): number {
    return this.states.isDropping(partition) ? 0 : this.index.entries(partition);
  }

  setOwned(partition: number, owned: boolean): void {
    checkPartition(partition);
    this.changes.setOwned(partition, owned);
  }

  beginDrop(partition: number): void {
    checkPartition(partition);
    this.changes.beginDrop(partition);
    this.invalidations.drop(partition);
  }

  isDropping(partition: number): boolean {
    return this.states.isDropping(partition);
  }

  maintain(budgetMs: number): boolean {
    if (!this.changes.isPending) return this.#sweep.run(budgetMs);
    const isChanging = this.changes.run(budgetMs / 2);
    return this.#sweep.run(budgetMs / 2) || isChanging;
  }

  sweep(budgetMs: number): void {
    if (this.invalidations.isAny) this.#invalidationSweep.run(budgetMs);
  }

  statistics(cache: number): CacheStorageStatistics {
    const { entries, bytes, evictions, expirations } = this.residents.space(cache);
    return { entries, bytes, evictions, expirations };
  }

  get memoryBytes(): number {
    return this.arena.liveWords * 4 + this.#room.fixedBytes;
  }

  #findSlot(cache: number, key: KeySlice): number {
    if (key.end - key.start > KEY_BYTES_MAX) throw keyTooLong(key);
    this.#key.load(cache, key.bytes, key.start, key.end);
    if (this.states.isDropping(key.partition)) return 0;
    return this.index.find(cache, key.partition, this.#key);
  }

  #noteTags(cache: number, partition: number, ref: EntryRef): void {
    const hasGrown = this.invalidations.note(cache, partition, this.#trailers.tagsOf(ref));
    if (hasGrown) this.#room.reckonAnew();
  }

  /** The live entry of the key; one that has expired or was invalidated leaves at once. */
  #liveOrLeave(cache: number, key: KeySlice): EntryRef {
    const slot = this.#findSlot(cache, key);
    if (slot === 0) return 0;
    const ref = this.index.ref(slot);
    if (this.#lives.isLive(ref, key.partition)) return ref;
    this.residents.leave(ref, slot, key.partition, this.#key.hash, this.#lives.causeOfEnd(ref, key.partition));
    return 0;
  }

  /** Brings an entry in line with whose partition it is in. True: it had expired, and has left. */
  #align(partition: number, slot: number): boolean {
    if (this.#lives.leaveIfExpired(partition, slot)) return true;
    this.residents.align(this.index.ref(slot), partition);
    return false;
  }

  #fitsInPlace(ref: EntryRef, valueBytes: number): boolean {
    const records = this.records;
    if (records.isChunked(ref) || chunkCount(valueBytes) > 0) return false;
    return records.wordsFor(records.cache(ref), records.keyBytes(ref), valueBytes) === records.neededWords(ref);
  }

  #rewrite(ref: EntryRef, value: Uint8Array, start: number, end: number, flags: number): void {
    const wasAside = this.residents.isAside(ref);
    this.records.setValueBytes(ref, end - start);
    this.records.writeValue(ref, value, start, end);
    this.residents.setFlags(ref, flags);
    if (!wasAside && !this.residents.isAside(ref)) {
      this.residents.space(this.records.cache(ref)).policy.use(ref, this.#key.hash);
    }
  }

  /** Builds the entry in blocks of its own and puts it into the index. 0: there was no room, and nothing is left of it. */
  #place(
    cache: number,
    partition: number,
    words: number,
    value: Uint8Array,
    start: number,
    end: number,
    flags: number,
  ): EntryRef {
    const { index } = this;
    const { hash } = this.#key;
    if (!index.reserve(partition, hash)) return 0;
    const ref = this.#build(cache, words, value, start, end, flags);
    if (ref !== 0) {
      const old = this.residents.replaced;
      if (old !== 0) {
        this.residents.replace(old, ref, index.slotOf(old, partition, hash), partition, hash);
      } else {
        index.insert(partition, hash, ref);
        this.residents.enter(ref, partition, hash);
      }
    }
    index.release(partition, hash >>> 8);
    return ref;
  }

  /** All blocks are taken before any is filled: until then nothing moves or evicts them. */
  #build(cache: number, words: number, value: Uint8Array, start: number, end: number, flags: number): EntryRef {
    const space = this.residents.space(cache);
    const ref = this.#room.allocate(words, space);
    if (ref === 0) return 0;
    const chunks: number[] = [];
    for (let number = 0; number < chunkCount(end - start); number++) {
      const address = this.#room.allocate(this.#chunks.wordsFor(end - start, number), space);
      if (address === 0) return this.#giveBack([ref, ...chunks]);
      chunks.push(address);
    }
    this.records.writeHeader(ref, cache, this.#key, end - start, flags, fixedWords(this.arena.words[ref]) - words);
    if (chunks.length === 0) this.records.writeValue(ref, value, start, end);
    for (let number = 0; number < chunks.length; number++) {
      this.#chunks.write(chunks[number]!, ref, number, value, start, end);
    }
    return ref;
  }

  #giveBack(addresses: number[]): 0 {
    for (const address of addresses) this.arena.free(address, fixedWords(this.arena.words[address]));
    return 0;
  }

  #refuse(partition: number, result: PutResult): PutResult {
    this.residents.keepReplaced(partition, this.#key.hash);
    return result;
  }
}
