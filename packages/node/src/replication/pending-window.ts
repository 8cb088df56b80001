import { type ReplicatedRecord, recordBytes, sameKey } from './record.js';

/**
 * The writes of a partition that are not committed yet, in order. It holds a few records at a time: those of one round
 * trip, so that looking through it beats keeping an index.
 */

/** At the bound new writes are refused as BUSY. With a round trip of 1 ms it allows a million writes a second. */
export const PENDING_RECORDS_MAX = 1_024;
/** Of all partitions of a node together. One write may go beyond it, or a large value could never be written. */
export const PENDING_BYTES_OF_NODE_MAX = 64 * 1024 * 1024;

/** Shared by the windows of a node. */
export interface PendingBudget {
  bytes: number;
}

/** Who hears what became of a write or of a wait. One object serves many writes: `ticket` is its own number for this one. */
export interface CommitSink {
  /** `copies` hold the record, the owner's included. */
  committed(ticket: number, epoch: number, seq: number, copies: number): void;
  /** The partition was lost meanwhile. Whether the write survives is not known. */
  lost(ticket: number): void;
}

interface Waiter {
  readonly sink: CommitSink;
  readonly ticket: number;
}

export class PendingWrite {
  /** Those who read this record, or repeated its request, before it was committed. */
  observers: Waiter[] | undefined;

  constructor(
    readonly record: ReplicatedRecord,
    readonly assignedMs: number,
    readonly sink: CommitSink | undefined,
    readonly ticket: number,
  ) {}

  committed(copies: number): void {
    const { epoch, seq } = this.record;
    this.sink?.committed(this.ticket, epoch, seq, copies);
    if (this.observers === undefined) return;
    for (const { sink, ticket } of this.observers) sink.committed(ticket, epoch, seq, copies);
  }

  lost(): void {
    this.sink?.lost(this.ticket);
    if (this.observers === undefined) return;
    for (const { sink, ticket } of this.observers) sink.lost(ticket);
  }
}

export class PendingWindow {
  /** A ring: the write of seq s lies at (s mod its length). */
  #writes: (PendingWrite | undefined)[] = new Array(16);
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

  at(seq: number): PendingWrite | undefined {
    if (seq < this.#firstSeq || seq >= this.nextSeq) return undefined;
    return this.#writes[seq & (this.#writes.length - 1)];
  }

  push(write: PendingWrite): void {
    if (this.#length === this.#writes.length) this.#grow();
    this.#writes[this.nextSeq & (this.#writes.length - 1)] = write;
    this.#length++;
    this.budget.bytes += recordBytes(write.record);
  }

  shift(): PendingWrite {
    const slot = this.#firstSeq & (this.#writes.length - 1);
    const write = this.#writes[slot]!;
    this.#writes[slot] = undefined;
    this.#firstSeq++;
    this.#length--;
    this.budget.bytes -= recordBytes(write.record);
    return write;
  }

  /** The last pending write of the key. */
  latest(cache: number, key: Uint8Array): PendingWrite | undefined {
    for (let seq = this.nextSeq - 1; seq >= this.#firstSeq; seq--) {
      const write = this.at(seq)!;
      if (write.record.cache === cache && sameKey(write.record.key, key)) return write;
    }
    return undefined;
  }

  #grow(): void {
    const old = this.#writes;
    this.#writes = new Array(old.length * 2);
    for (let seq = this.#firstSeq; seq < this.nextSeq; seq++) {
      this.#writes[seq & (this.#writes.length - 1)] = old[seq & (old.length - 1)];
    }
  }
}
