import type { CopyEntries } from './copy-entries.js';
import type { AcknowledgedCopy, Clean, RecordRun, SyncAcknowledge, SyncChunk } from './messages.js';
import type { LoggedRequest, RequestLog } from './request-log.js';

/**
 * The receiving side of a copy, on a successor or learner. Who sends to it (the owner that the view names, under the
 * view's epoch, to this very copy) is checked before. It takes the next record, acknowledges again what it has, and
 * ignores what comes after a gap: the sender will send again.
 */
export class Replica {
  /** The last record that was applied; undefined before the first chunk of a sync. */
  appliedSeq: number | undefined;
  /** The sync that it began with; -1: none. */
  attempt = -1;
  #nextChunk = 0;
  /** The snapshot is whole. */
  complete = false;
  /** Who feeds it, and under which epoch, by the installed view. */
  owner = '';
  epoch = 0;

  constructor(
    readonly partition: number,
    readonly copy: number,
    readonly entries: CopyEntries,
    readonly requests: RequestLog,
    readonly seqOrder = true,
  ) {}

  follow(owner: string, epoch: number): void {
    this.owner = owner;
    this.epoch = epoch;
  }

  replicate(run: RecordRun): AcknowledgedCopy | undefined {
    if (this.appliedSeq === undefined || !this.entries.ready) return undefined;
    for (const record of run.records) {
      if (record.seq <= this.appliedSeq) continue;
      if (this.seqOrder && record.seq !== this.appliedSeq + 1) break;
      if (!this.entries.apply(record)) break;
      this.requests.add(record);
      this.appliedSeq = record.seq;
    }
    const { partition, copy, appliedSeq: seq } = this;
    return { partition, copy, attempt: this.attempt, seq };
  }

  sync(message: SyncChunk): SyncAcknowledge | undefined {
    if (message.attempt < this.attempt) return undefined;
    if (message.attempt > this.attempt) {
      if (message.chunk !== 0) return undefined;
      this.#begin(message.attempt);
    }
    if (!this.entries.ready || message.chunk > this.#nextChunk) return undefined;
    if (message.chunk === this.#nextChunk) {
      if (message.chunk === 0) this.appliedSeq = message.baseSeq;
      for (const entry of message.entries) if (!this.entries.apply(entry)) return this.#giveUp();
      for (const request of message.requests) this.#takeRequest(request);
      this.#nextChunk++;
      if (message.last) this.complete = true;
    }
    return {
      kind: 'sync-acknowledge',
      partition: this.partition,
      copy: this.copy,
      attempt: this.attempt,
      chunk: this.#nextChunk - 1,
      seq: this.appliedSeq!,
    };
  }

  /** What a record has said meanwhile is newer. */
  #takeRequest(request: LoggedRequest): void {
    const known = this.requests.find(request);
    if (known === undefined || known.seq < request.seq) this.requests.put(request);
  }

  /** The copy is whole, up to this seq, by other means than a sync. */
  continueFrom(seq: number): void {
    this.appliedSeq = seq;
    this.complete = true;
  }

  clean(message: Clean): void {
    this.entries.clean(message.cache, message.key, message.version.epoch, message.version.seq);
  }

  /** Half of a chunk is of no use, as records may follow that the other half would undo: another attempt has to begin. */
  #giveUp(): undefined {
    this.#nextChunk = -1;
    this.appliedSeq = undefined;
  }

  /** What it had goes, which may take a while: until then no chunk is taken, and the sender sends again. */
  #begin(attempt: number): void {
    this.entries.clear();
    this.requests.clear();
    this.attempt = attempt;
    this.#nextChunk = 0;
    this.complete = false;
    this.appliedSeq = undefined;
  }
}
