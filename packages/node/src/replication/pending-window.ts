import { assert } from '@larder/base';
import { type ReplicatedRecord, recordBytes } from './record.js';

/**
 * The records of a partition that are not committed yet, in order, and who waits for each. It holds a few at a time:
 * those of one round trip.
 */

/** At the bound new writes are refused as BUSY. With a round trip of 1 ms it allows a million writes a second. */
export const PENDING_RECORDS_MAX = 1_024;
/** Of all partitions of a node together. One write may go beyond it, or a large value could never be written. */
export const PENDING_BYTES_OF_NODE_MAX = 64 * 1024 * 1024;

/** Shared by the windows of a node. */
export interface PendingBudget {
  bytes: number;
}

/** Who hears what became of a record. One object serves many waits: `ticket` is its own number for this one. */
export interface CommitSink {
  /** `copies` hold the record, the owner's included. */
  committed(ticket: number, copies: number): void;
  /** The partition was lost meanwhile. Whether the record survives is not known. */
  lost(ticket: number): void;
}

interface Waiter {
  readonly sink: CommitSink;
  readonly ticket: number;
}

/** Nearly always a record has one who waits for it, so only the second and later ones cost an array. */
export class PendingWrite {
  #sink: CommitSink | undefined = undefined;
  #ticket = 0;
  #others: Waiter[] | undefined = undefined;
  /** Here as well, so that a commit needs not look at the record, which is in no cache any more. */
  readonly seq: number;
  readonly bytes: number;
  /** The one after it in its window. */
  next: PendingWrite | undefined = undefined;

  constructor(
    readonly record: ReplicatedRecord,
    readonly assignedMs: number,
  ) {
    this.seq = record.seq;
    this.bytes = recordBytes(record);
  }

  observe(sink: CommitSink, ticket: number): void {
    if (this.#sink === undefined) {
      this.#sink = sink;
      this.#ticket = ticket;
      return;
    }
    this.#others ??= [];
    this.#others.push({ sink, ticket });
  }

  committed(copies: number): void {
    this.#sink?.committed(this.#ticket, copies);
    if (this.#others === undefined) return;
    for (const { sink, ticket } of this.#others) sink.committed(ticket, copies);
  }

  lost(): void {
    this.#sink?.lost(this.#ticket);
    if (this.#others === undefined) return;
    for (const { sink, ticket } of this.#others) sink.lost(ticket);
  }
}

/**
 * A chain from the oldest to the youngest. Most partitions hold no pending write at a time, or one, so the chain costs a
 * partition nothing between its writes; nearly all who ask by seq ask for the oldest or the youngest.
 */
export class PendingWindow {
  #oldest: PendingWrite | undefined = undefined;
  #youngest: PendingWrite | undefined = undefined;
  #firstSeq: number;
  #length = 0;

  constructor(
    committedSeq: number,
    readonly budget: PendingBudget,
  ) {
    this.#firstSeq = committedSeq + 1;
  }

  get length(): number {
    return this.#length;
  }

  get nextSeq(): number {
    return this.#firstSeq + this.#length;
  }

  get hasRoom(): boolean {
    return this.#length < PENDING_RECORDS_MAX && this.budget.bytes < PENDING_BYTES_OF_NODE_MAX;
  }

  /** Takes a step for each write that lies between the oldest and this one, unless it is the youngest. */
  at(seq: number): PendingWrite | undefined {
    if (seq < this.#firstSeq || seq >= this.nextSeq) return undefined;
    if (seq === this.nextSeq - 1) return this.#youngest;
    let write = this.#oldest!;
    while (write.seq !== seq) write = write.next!;
    return write;
  }

  /** Uses up a seq of the empty window, and returns it. */
  skip(): number {
    assert(this.#length === 0, 'a seq was skipped among pending writes');
    return this.#firstSeq++;
  }

  push(write: PendingWrite): void {
    assert(write.seq === this.nextSeq, 'a pending write of another seq than the next');
    if (this.#youngest === undefined) this.#oldest = write;
    else this.#youngest.next = write;
    this.#youngest = write;
    this.#length++;
    this.budget.bytes += write.bytes;
  }

  /** Takes the oldest out. */
  shift(): PendingWrite {
    const write = this.#oldest!;
    this.#oldest = write.next;
    if (write.next === undefined) this.#youngest = undefined;
    this.#firstSeq++;
    this.#length--;
    this.budget.bytes -= write.bytes;
    return write;
  }
}
