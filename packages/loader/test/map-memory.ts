import type { Clock } from '@larder/base';
import { type KeySlice, LarderError } from '@larder/proto';
import {
  EntryFlag,
  type EntryMemory,
  type EntryRef,
  type Hold,
  type HoldSink,
  PutResult,
  type RequestId,
  RequestResult,
} from '../src/entry-memory.js';
import { isHidden } from '../src/is-hidden.js';
import { MissCause } from '../src/miss-cause.js';
import { hashAt, hashCount, type TagHashes } from '../src/tags/tag-hashes.js';

interface Entry {
  readonly id: string;
  readonly value: Uint8Array;
  readonly seq: number;
  readonly tags: ReadonlySet<number>;
  flags: number;
  /** Infinity: never. */
  expiresAtMs: number;
}

/** Entries in a Map, with the rules of the real memory: expiry, pinned dirty entries, versions, refusals. */
export class MapMemory implements EntryMemory {
  readonly #entries = new Map<string, EntryRef>();
  /** By reference; a removed entry leaves a hole, and a reference is never used again. */
  readonly #byRef: (Entry | undefined)[] = [undefined];
  readonly #causes = new Map<string, MissCause>();
  /** What the next `put` answers instead of storing. */
  refusing: PutResult | undefined;
  graceMs = 0;
  tags: TagHashes | undefined;
  putEpoch = 1;
  putSeq = 0;

  request: RequestId | undefined;
  result: RequestResult = RequestResult.done;
  /** Partitions that belong to another node. */
  readonly away = new Set<number>();
  /** Partitions that are this node's, but not to be served now. */
  readonly paused = new Set<number>();
  /** Entries above it are not on the other copies yet. */
  committedSeq = Number.POSITIVE_INFINITY;
  /** True: `holdBack` does not answer at once; what it was asked for is here. */
  holding = false;
  readonly holds: HoldSink[] = [];
  restored = 0;
  heldCount = 0;

  constructor(readonly clock: Clock) {}

  serves(partition: number): boolean {
    return this.owns(partition) && !this.paused.has(partition);
  }

  keeps(partition: number): boolean {
    return this.owns(partition);
  }

  owns(partition: number): boolean {
    return !this.away.has(partition);
  }

  refusal(partition: number): LarderError {
    return new LarderError('NOT_OWNER', `partition ${partition} is away`, { outcome: 'not-applied' });
  }

  find(key: KeySlice): EntryRef {
    return this.peek(key);
  }

  peek(key: KeySlice): EntryRef {
    const ref = this.#entries.get(idOf(key)) ?? 0;
    if (ref === 0) return 0;
    const entry = this.#entry(ref);
    if ((entry.flags & EntryFlag.dirty) !== 0 || entry.expiresAtMs > this.clock.monotonicMs()) return ref;
    this.#drop(entry.id, ref);
    this.#causes.set(entry.id, MissCause.expired);
    return 0;
  }

  tagCount(ref: EntryRef): number {
    return this.#entry(ref).tags.size;
  }

  missCause(key: KeySlice): MissCause {
    return this.#causes.get(idOf(key)) ?? MissCause.cold;
  }

  noteMissCause(key: KeySlice, cause: MissCause): void {
    this.#causes.set(idOf(key), cause);
  }

  flags(ref: EntryRef): number {
    return this.#entry(ref).flags;
  }

  valueBytes(ref: EntryRef): number {
    return this.#entry(ref).value.length;
  }

  copyValue(ref: EntryRef, from: number, to: number, target: Uint8Array, at: number): void {
    target.set(this.#entry(ref).value.subarray(from, to), at);
  }

  epoch(_ref: EntryRef): number {
    return this.putEpoch;
  }

  seq(ref: EntryRef): number {
    return this.#entry(ref).seq;
  }

  remainingMs(ref: EntryRef): number {
    const { expiresAtMs, flags } = this.#entry(ref);
    if (expiresAtMs === Number.POSITIVE_INFINITY) return -1;
    const leftMs = expiresAtMs - this.clock.monotonicMs();
    if (this.graceMs === 0 || isHidden(flags)) return Math.max(1, leftMs);
    return Math.max((flags & EntryFlag.dirty) === 0 ? 0 : 1, leftMs - this.graceMs);
  }

  put(key: KeySlice, value: Uint8Array, start: number, end: number, ttlMs: number, flags: number): PutResult {
    const { tags } = this;
    this.tags = undefined;
    if (this.refusing !== undefined) return this.refusing;
    const id = idOf(key);
    const old = this.#entries.get(id);
    if (old !== undefined) this.#drop(id, old);
    const graceMs = isHidden(flags) ? 0 : this.graceMs;
    const expiresAtMs = ttlMs === 0 ? Number.POSITIVE_INFINITY : this.clock.monotonicMs() + ttlMs + graceMs;
    const ref =
      this.#byRef.push({
        id,
        value: Uint8Array.from(value.subarray(start, end)),
        seq: ++this.putSeq,
        tags: new Set(hashesOf(tags)),
        flags,
        expiresAtMs,
      }) - 1;
    this.#entries.set(id, ref);
    return PutResult.stored;
  }

  remove(key: KeySlice): boolean {
    const ref = this.peek(key);
    if (ref === 0) return false;
    this.#drop(idOf(key), ref);
    this.noteMissCause(key, MissCause.invalidated);
    return true;
  }

  invalidate(_partition: number, tags: TagHashes | undefined): boolean {
    const wanted = hashesOf(tags);
    let count = 0;
    for (const [id, ref] of this.#entries) {
      const entry = this.#entry(ref);
      if ((entry.flags & EntryFlag.dirty) !== 0) continue;
      if (tags !== undefined && !wanted.some((hash) => entry.tags.has(hash))) continue;
      this.#drop(id, ref);
      count++;
    }
    return count > 0;
  }

  expire(key: KeySlice, ttlMs: number): boolean {
    const ref = this.peek(key);
    if (ref === 0) return false;
    const lifeMs = ttlMs === 0 ? Number.POSITIVE_INFINITY : ttlMs + this.graceMs;
    this.#entry(ref).expiresAtMs = this.clock.monotonicMs() + lifeMs;
    return true;
  }

  clean(key: KeySlice, epoch: number, seq: number): void {
    const ref = this.peek(key);
    if (ref === 0 || this.epoch(ref) !== epoch || this.seq(ref) !== seq) return;
    const entry = this.#entry(ref);
    if ((entry.flags & EntryFlag.tombstone) !== 0) this.#drop(entry.id, ref);
    else entry.flags &= ~EntryFlag.dirty;
  }

  isCommitted(ref: EntryRef): boolean {
    return this.seq(ref) <= this.committedSeq;
  }

  keepBack(): () => void {
    this.heldCount++;
    return () => {
      this.heldCount--;
    };
  }

  holdBack(_key: KeySlice, sink: HoldSink): Hold {
    this.heldCount++;
    if (this.holding) this.holds.push(sink);
    return { isHeld: !this.holding, epoch: this.putEpoch, seq: this.putSeq + 1, release: () => this.heldCount-- };
  }

  restore(): void {
    this.restored++;
  }

  #entry(ref: EntryRef): Entry {
    const entry = this.#byRef[ref];
    if (entry === undefined) throw new Error('a reference was used after its entry had gone');
    return entry;
  }

  #drop(id: string, ref: EntryRef): void {
    this.#entries.delete(id);
    this.#byRef[ref] = undefined;
  }
}

function hashesOf(tags: TagHashes | undefined): number[] {
  return tags === undefined ? [] : Array.from({ length: hashCount(tags) }, (_, index) => hashAt(tags, index));
}

function idOf({ bytes, start, end }: KeySlice): string {
  return Buffer.from(bytes.subarray(start, end)).toString('latin1');
}
