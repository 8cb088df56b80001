import { assert } from '@larder/base';
import type { ProtocolRules } from '../cluster/protocol-rules.js';
import type { CopyEntries } from './copy-entries.js';
import type { PeerMessage, RecordRun } from './messages.js';
import type { PendingWindow } from './pending-window.js';
import { type ReplicatedRecord, recordBytes } from './record.js';
import type { LoggedRequest, RequestLog } from './request-log.js';
import type { SyncFlows } from './sync-flows.js';

/**
 * One copy that an owner feeds: its successor, or a learner on the way to become it. Live records and the chunks of a
 * snapshot leave in one stream, in this order: chunk 0, the records that were pending when the attempt began, and then
 * whatever comes up, further chunks among the live records. A chunk is read from live storage in one go and leaves out
 * entries that are not committed: those travel as records. So at its receiver each key ends with the latest state,
 * whichever way that came. Until it has every record that was pending when a chunk was read, it may lack what is
 * committed: a key that was left out, or one whose removal was not committed yet.
 */

const BATCH_RECORDS_MAX = 256;
const BATCH_BYTES_MAX = 64 * 1024;
/** What a look at one slot of the table of requests counts for in the bytes that may be sent for syncs. */
const SCAN_BYTES = 4;
/** What an entry counts for in them beside its bytes: the work that it is on both sides, even if it is small. */
const ENTRY_COST_BYTES = 512;
const CHUNK_REQUESTS_MAX = 1_000;
/** Chunks that may be on the way. */
const CHUNKS_UNACKNOWLEDGED_MAX = 4;
/**
 * Attempts begin at a multiple of this, by epoch, so that those of a later owner are above. With 22 bits of epoch it is
 * what a double has room for: a copy that never has any is tried for ever, a few times a second.
 */
const ATTEMPTS_PER_EPOCH = 2 ** 30;

/** What a follower sees of the partition it belongs to. */
export interface FollowedPartition {
  readonly partition: number;
  readonly epoch: number;
  readonly committedSeq: number;
  readonly window: PendingWindow;
  readonly entries: CopyEntries;
  readonly requests: RequestLog;
  readonly host: FollowerHost;
}

export interface FollowerHost {
  send(node: string, message: PeerMessage): void;
  /** In one message with what else is sent to that node in this turn, before whatever `send` is given next. */
  replicate(node: string, run: RecordRun): void;
  nowMs(): number;
  /** Entries that a chunk of a snapshot holds, about. */
  readonly chunkEntries: number;
  /** Bytes that may be sent for syncs before the next step of the pump; may fall below zero by one chunk. */
  syncBytesLeft: number;
  readonly syncFlows: SyncFlows;
  /** A rule may be waiting for it: a learner is complete, or nothing of a partition that was waited for is under way any more. */
  settled(): void;
  readonly rules: Pick<ProtocolRules, 'syncAttempts' | 'requestsInSync' | 'pendingInSync'>;
}

interface Sync {
  readonly attempt: number;
  cursor: number;
  scanned: boolean;
  /** The next chunk to send. */
  chunk: number;
  acknowledgedChunks: number;
  /** What the chunks on the way count for. */
  readonly bytes: number[];
  lastSent: boolean;
  /** The last record that was pending when a chunk was read: the copy is whole when it has that too. */
  pendingSeq: number;
  requests: LoggedRequest[];
}

export class Follower {
  /** Everything up to here is held by the copy. */
  ackedSeq: number;
  /** Everything up to here has been sent. */
  sentSeq: number;
  /** It has the snapshot; from now on writes wait for its acknowledgement. */
  synced: boolean;
  /** The view's successor. */
  successor = false;
  /** The successor in a compare-and-set whose outcome is open. */
  proposed = false;
  #recordsMovedMs: number;
  #chunksMovedMs: number;
  #sync: Sync | undefined;
  #attempts = 0;
  /** Of the last sync that was begun; undefined: the copy came to be in step under an owner before. */
  #attempt: number | undefined;

  constructor(
    readonly node: string,
    readonly copy: number,
    readonly of: FollowedPartition,
    synced: boolean,
  ) {
    this.ackedSeq = of.committedSeq;
    this.sentSeq = of.committedSeq;
    this.synced = synced;
    this.#recordsMovedMs = of.host.nowMs();
    this.#chunksMovedMs = of.host.nowMs();
  }

  get inAckSet(): boolean {
    return this.successor || this.proposed || this.synced;
  }

  /** It is being filled: live records go to it as they come, but nobody waits for it yet. */
  get syncing(): boolean {
    return this.#sync !== undefined;
  }

  /** An acknowledgement from before the current sync says nothing about what the copy holds now. */
  acknowledged(attempt: number, seq: number): void {
    if (this.#attempt !== undefined && attempt !== this.#attempt) return;
    if (seq <= this.ackedSeq || seq >= this.of.window.nextSeq) return;
    this.ackedSeq = seq;
    if (seq > this.sentSeq) this.sentSeq = seq;
    this.#recordsMovedMs = this.of.host.nowMs();
    this.#completeSync();
  }

  chunkAcknowledged(attempt: number, chunk: number, seq: number): void {
    const sync = this.#sync;
    if (sync === undefined || attempt !== sync.attempt || chunk >= sync.chunk) return;
    if (chunk + 1 > sync.acknowledgedChunks) {
      const flow = this.of.host.syncFlows.of(this.node);
      for (const bytes of sync.bytes.splice(0, chunk + 1 - sync.acknowledgedChunks)) flow.bytes -= bytes;
      sync.acknowledgedChunks = chunk + 1;
      this.#chunksMovedMs = this.of.host.nowMs();
      flow.movedMs = this.#chunksMovedMs;
    }
    this.acknowledged(attempt, seq);
    this.#completeSync();
  }

  /** Sends what there is to send. */
  flush(): void {
    if (!this.synced) this.#pumpSync();
    if (this.synced || this.#sync !== undefined) this.#sendRecords();
  }

  /** The stream broke, or nothing has come back for long: what was under way may be gone. */
  rewind(): void {
    this.#recordsMovedMs = this.of.host.nowMs();
    const { rules } = this.of.host;
    const resendable = this.ackedSeq >= this.of.committedSeq || !rules.syncAttempts;
    if ((this.synced || !rules.syncAttempts) && resendable) {
      this.sentSeq = Math.max(this.ackedSeq, this.of.committedSeq);
      return;
    }
    this.restart();
  }

  /** Begins a new attempt from nothing; until it is done writes do not wait for this copy. */
  restart(): void {
    this.synced = false;
    this.#sync = undefined;
  }

  /** Since when something has been under way without an answer; Infinity if nothing is. */
  get stuckSinceMs(): number {
    const sync = this.#sync;
    if (sync !== undefined && sync.chunk > sync.acknowledgedChunks) {
      // Behind chunks of other partitions it has to wait.
      return Math.max(this.#chunksMovedMs, this.of.host.syncFlows.of(this.node).movedMs);
    }
    return this.sentSeq > this.ackedSeq ? this.#recordsMovedMs : Number.POSITIVE_INFINITY;
  }

  /** What chunks on the way count for. */
  get syncBytes(): number {
    return this.#sync?.bytes.reduce((sum, bytes) => sum + bytes, 0) ?? 0;
  }

  /** When the oldest record was made that this copy has not acknowledged; Infinity if there is none. */
  get oldestUnackedMs(): number {
    const { window, committedSeq } = this.of;
    const oldest = window.at(Math.max(this.ackedSeq, committedSeq) + 1);
    return oldest === undefined ? Number.POSITIVE_INFINITY : oldest.assignedMs;
  }

  #completeSync(): void {
    const sync = this.#sync;
    if (sync === undefined || !sync.lastSent || sync.acknowledgedChunks < sync.chunk) return;
    if (this.of.host.rules.pendingInSync && this.ackedSeq < sync.pendingSeq) return;
    this.#sync = undefined;
    this.synced = true;
    this.of.host.settled();
  }

  #begin(): Sync {
    const { of } = this;
    this.#chunksMovedMs = of.host.nowMs();
    this.ackedSeq = of.committedSeq;
    this.sentSeq = of.committedSeq;
    const attempt = of.epoch * ATTEMPTS_PER_EPOCH + this.#attempts++;
    const requests = of.host.rules.requestsInSync ? of.requests.all() : [];
    of.host.syncBytesLeft -= SCAN_BYTES * of.requests.table.slots;
    const sync = {
      attempt,
      cursor: 0,
      scanned: false,
      chunk: 0,
      acknowledgedChunks: 0,
      bytes: [],
      lastSent: false,
      pendingSeq: 0,
      requests,
    };
    this.#sync = sync;
    this.#attempt = attempt;
    return sync;
  }

  #pumpSync(): void {
    const { host } = this.of;
    const flow = host.syncFlows.of(this.node);
    if (this.#sync === undefined && (host.syncBytesLeft <= 0 || flow.isFull)) return;
    const sync = this.#sync ?? this.#begin();
    while (!sync.lastSent && sync.chunk - sync.acknowledgedChunks < CHUNKS_UNACKNOWLEDGED_MAX) {
      if (host.syncBytesLeft <= 0 && sync.chunk > 0) return;
      if (flow.isFull) return;
      this.#sendChunk(sync);
      if (sync.chunk === 1) this.#sendRecords();
      if (sync.chunk - sync.acknowledgedChunks === 1) this.#chunksMovedMs = host.nowMs();
    }
  }

  #sendChunk(sync: Sync): void {
    const { of } = this;
    const entries: ReplicatedRecord[] = [];
    let bytes = 0;
    if (!sync.scanned) {
      sync.cursor = of.entries.scan(sync.cursor, of.host.chunkEntries, (entry) => {
        if (entry.seq > of.committedSeq) return;
        entries.push(entry);
        bytes += recordBytes(entry);
      });
      sync.scanned = sync.cursor === 0;
      sync.pendingSeq = of.window.nextSeq - 1;
    }
    const requests = sync.requests.splice(0, CHUNK_REQUESTS_MAX);
    sync.lastSent = sync.scanned && sync.requests.length === 0;
    const cost = bytes + ENTRY_COST_BYTES * entries.length;
    of.host.syncBytesLeft -= cost;
    of.host.syncFlows.of(this.node).bytes += cost;
    sync.bytes.push(cost);
    of.host.send(this.node, {
      kind: 'sync',
      partition: of.partition,
      epoch: of.epoch,
      copy: this.copy,
      attempt: sync.attempt,
      chunk: sync.chunk++,
      last: sync.lastSent,
      baseSeq: this.sentSeq,
      entries,
      requests,
    });
  }

  #sendRecords(): void {
    const { of } = this;
    while (this.sentSeq + 1 < of.window.nextSeq) {
      const records = this.#nextBatch();
      of.host.replicate(this.node, { partition: of.partition, epoch: of.epoch, copy: this.copy, records });
      this.sentSeq += records.length;
    }
  }

  #nextBatch(): ReplicatedRecord[] {
    const { window, host, committedSeq } = this.of;
    assert(this.sentSeq >= committedSeq, 'a record was committed before it was sent');
    if (this.sentSeq === this.ackedSeq) this.#recordsMovedMs = host.nowMs();
    const records: ReplicatedRecord[] = [];
    let bytes = 0;
    for (let write = window.at(this.sentSeq + 1); write !== undefined; write = write.next) {
      const { record, assignedMs } = write;
      bytes += write.bytes;
      if (records.length > 0 && (records.length === BATCH_RECORDS_MAX || bytes > BATCH_BYTES_MAX)) break;
      records.push(record.ttlMs === 0 ? record : withRemainingLife(record, host.nowMs() - assignedMs));
    }
    return records;
  }
}

function withRemainingLife(record: ReplicatedRecord, sinceMs: number): ReplicatedRecord {
  return sinceMs < 1 ? record : { ...record, ttlMs: Math.max(1, record.ttlMs - sinceMs) };
}
