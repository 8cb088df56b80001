import {
  type CommitSink,
  type RecordParts,
  type ReplicatedRecord,
  type Replicator,
  recordOf,
} from '@larder/node/internal';
import type { Answer } from './operation-executor.js';
import { entriesOf } from './simulated-entries.js';

/** Answers that wait until what they observed is committed, and what the checkers want to know of each commit. */
export class HeldReplies implements CommitSink {
  readonly #waits = new Map<number, Wait>();
  #ticket = 0;

  constructor(readonly committedRecord: (partition: number, record: ReplicatedRecord) => void) {}

  /** Once the seq is committed it is `committed`; if the partition is lost first, `lost`. */
  hold(replicator: Replicator, seq: number, committed: () => void, lost: () => void): void {
    this.#waits.set(++this.#ticket, { committed, lost });
    replicator.observe(seq, this, this.#ticket);
  }

  answerWhenCommitted(replicator: Replicator, seq: number, answer: (answer: Answer) => void, done: Answer): void {
    const lost: Answer = { kind: 'unknown' };
    this.hold(
      replicator,
      seq,
      () => answer(done),
      () => answer(lost),
    );
  }

  /** Applies a change to the owner's entries and makes it the next record, in one turn. Returns its seq. */
  apply(replicator: Replicator, change: Change): number {
    const record = recordOf({ epoch: replicator.epoch, seq: replicator.nextSeq, ...change });
    entriesOf(replicator).apply(record);
    return this.submit(replicator, record);
  }

  /** For what is in the entries already. */
  submit(replicator: Replicator, record: ReplicatedRecord): number {
    const seq = replicator.submit(record);
    this.hold(
      replicator,
      seq,
      () => this.committedRecord(replicator.partition, record),
      () => {},
    );
    return seq;
  }

  committed(ticket: number): void {
    this.#end(ticket).committed();
  }

  lost(ticket: number): void {
    this.#end(ticket).lost();
  }

  #end(ticket: number): Wait {
    const wait = this.#waits.get(ticket)!;
    this.#waits.delete(ticket);
    return wait;
  }
}

export type Change = Omit<RecordParts, 'epoch' | 'seq'>;

interface Wait {
  readonly committed: () => void;
  readonly lost: () => void;
}
