import { type CopiedEntry, type EntryMemory, type EntryRef, type Reply, RequestResult } from '@larder/loader';
import { LarderError } from '@larder/proto';
import type { CommitSink } from '../replication/pending-window.js';
import type { Replicator } from '../replication/replicator.js';
import type { LoggedRequest } from '../replication/request-log.js';
import type { OwnedPartitions } from './owned-partitions.js';

/**
 * Lets an answer out when everything that it says is on every copy that has to have it: a write when it is committed, a
 * read when what it saw is. Mostly that is so at once. Otherwise the answer is held, with a copy of the value as it
 * was, until the partition's commits have come so far; if the partition goes to another node first, nobody knows what
 * becomes of a write, and a read may be tried again.
 *
 * A server has one of these for each stream and hands it from operation to operation; `later` makes one to keep.
 */
export class CommittedReply implements Reply {
  #inner!: Reply;
  #memory!: EntryMemory;
  #partition = 0;
  #isWrite = false;
  /** The caller does not want to wait for other copies. */
  #ownerOnly = false;

  constructor(readonly partitions: OwnedPartitions) {}

  /** The same object, for another operation. */
  to(inner: Reply, memory: EntryMemory, partition: number, isWrite: boolean, ownerOnly: boolean): this {
    this.#inner = inner;
    this.#memory = memory;
    this.#partition = partition;
    this.#isWrite = isWrite;
    this.#ownerOnly = ownerOnly;
    return this;
  }

  entry(ref: EntryRef): void {
    const replicator = this.#owner();
    if (replicator === undefined) return;
    const seq = this.#memory.seq(ref);
    if (seq <= replicator.committedSeq) this.#inner.entry(ref);
    else this.#hold(replicator, seq, HeldKind.copied, 0, 0, copyOf(this.#memory, ref));
  }

  copied(entry: CopiedEntry): void {
    this.#inner.copied(entry);
  }

  /** What was loaded and not stored is the origin's word; no copy has to have it. */
  value(bytes: Uint8Array, stale: boolean): void {
    this.#inner.value(bytes, stale);
  }

  miss(): void {
    const replicator = this.#owner();
    if (replicator === undefined) return;
    if (replicator.lastRemovalSeq <= replicator.committedSeq) this.#inner.miss();
    else this.#hold(replicator, replicator.lastRemovalSeq, HeldKind.miss, 0, 0, undefined);
  }

  /** A lease says that there is no entry. */
  leased(lease: number): void {
    const replicator = this.#owner();
    if (replicator === undefined) return;
    const seq = replicator.lastRemovalSeq;
    if (seq <= replicator.committedSeq) this.#inner.leased(lease);
    else this.#hold(replicator, seq, HeldKind.leased, 0, lease, undefined);
  }

  refusedFill(): void {
    this.#inner.refusedFill();
  }

  /** seq 0: only the origin has it. */
  written(epoch: number, seq: number, copies: number): void {
    if (seq === 0) {
      this.#inner.written(epoch, seq, copies);
      return;
    }
    const replicator = this.#owner();
    if (replicator === undefined) return;
    if (this.#ownerOnly) this.#inner.written(epoch, seq, 1);
    else if (seq <= replicator.committedSeq) this.#inner.written(epoch, seq, replicator.copies);
    else this.#hold(replicator, seq, HeldKind.written, epoch, seq, undefined);
  }

  found(found: boolean): void {
    const replicator = this.partitions.owner(this.#partition);
    const seq = replicator === undefined ? 0 : replicator.nextSeq - 1;
    if (replicator === undefined || this.#ownerOnly || seq <= replicator.committedSeq) this.#inner.found(found);
    else this.#hold(replicator, seq, found ? HeldKind.found : HeldKind.notFound, 0, 0, undefined);
  }

  failed(error: LarderError): void {
    this.#inner.failed(error);
  }

  /** What a request was told when it came first. */
  again({ epoch, seq, result }: LoggedRequest, isSet: boolean): void {
    const replicator = this.#owner();
    if (replicator === undefined) return;
    if (seq <= replicator.committedSeq) {
      if (isSet) this.#inner.written(epoch, seq, replicator.copies);
      else this.#inner.found(result === RequestResult.done);
    } else {
      const kind = isSet ? HeldKind.written : result === RequestResult.done ? HeldKind.found : HeldKind.notFound;
      this.#hold(replicator, seq, kind, epoch, seq, undefined);
    }
  }

  later(): Reply {
    const { partitions } = this;
    const kept = new CommittedReply(partitions);
    return kept.to(this.#inner.later(), this.#memory, this.#partition, this.#isWrite, this.#ownerOnly);
  }

  /** Undefined: the partition has gone meanwhile, and the caller was told. */
  #owner(): Replicator | undefined {
    const replicator = this.partitions.owner(this.#partition);
    if (replicator === undefined) this.#inner.failed(lostError(this.partitions, this.#partition, this.#isWrite));
    return replicator;
  }

  #hold(
    replicator: Replicator,
    awaitedSeq: number,
    kind: HeldKind,
    epoch: number,
    seq: number,
    entry: CopiedEntry | undefined,
  ): void {
    const held = new HeldAnswer(
      this.#inner.later(),
      kind,
      epoch,
      seq,
      entry,
      this.partitions,
      this.#partition,
      this.#isWrite,
    );
    replicator.observe(awaitedSeq, held, 0);
  }
}

const HeldKind = { miss: 0, copied: 1, written: 2, found: 3, notFound: 4, leased: 5 } as const;
type HeldKind = (typeof HeldKind)[keyof typeof HeldKind];

/** An answer that waits for a commit. */
class HeldAnswer implements CommitSink {
  constructor(
    readonly reply: Reply,
    readonly kind: HeldKind,
    readonly epoch: number,
    /** Of `leased` the lease. */
    readonly seq: number,
    readonly entry: CopiedEntry | undefined,
    readonly partitions: OwnedPartitions,
    readonly partition: number,
    readonly isWrite: boolean,
  ) {}

  committed(_ticket: number, copies: number): void {
    const { reply } = this;
    switch (this.kind) {
      case HeldKind.miss:
        reply.miss();
        return;
      case HeldKind.copied:
        reply.copied(this.entry!);
        return;
      case HeldKind.leased:
        reply.leased(this.seq);
        return;
      case HeldKind.written:
        reply.written(this.epoch, this.seq, copies);
        return;
      default:
        reply.found(this.kind === HeldKind.found);
    }
  }

  lost(): void {
    this.reply.failed(lostError(this.partitions, this.partition, this.isWrite));
  }
}

function lostError(partitions: OwnedPartitions, partition: number, isWrite: boolean): LarderError {
  if (!isWrite) return partitions.refusal(partition);
  const message = `partition ${partition} went to another node before its other copy had the write`;
  return new LarderError('UNAVAILABLE', message, { outcome: 'unknown', node: partitions.selfId });
}

function copyOf(memory: EntryMemory, ref: EntryRef): CopiedEntry {
  const bytes = Buffer.allocUnsafe(memory.valueBytes(ref));
  memory.copyValue(ref, 0, bytes.length, bytes, 0);
  return { bytes, epoch: memory.epoch(ref), seq: memory.seq(ref), remainingMs: memory.remainingMs(ref), stale: false };
}
