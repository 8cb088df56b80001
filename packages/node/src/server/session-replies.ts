import { type CopiedEntry, type EntryMemory, type EntryRef, isSeen, type Reply } from '@larder/loader';
import {
  type LarderError,
  OperationKind,
  SESSION_VALUE_BYTES_MAX,
  type SessionResponseWriter,
  TTL_NONE,
} from '@larder/proto';

/** The part of a session that its replies write to. */
export interface ReplyTarget {
  /** The frame that is being filled; another one after each flush. */
  readonly writer: SessionResponseWriter;
  deferReply(reply: SessionReply): SessionReply;
  /** A reply was written outside of the turn that handles frames. */
  replied(): void;
}

/**
 * Replies collected for a client that does not read them. Beyond it values are left out, as if they were too large for
 * the session: the client fetches them when it is ready.
 */
export const COLLECTED_REPLY_BYTES_MAX = 1024 * 1024;

/** Writes the answer to one operation into the session's current frame. */
export class SessionReply implements Reply {
  id = 0;
  kind = 0;
  memory!: EntryMemory;

  constructor(protected readonly target: ReplyTarget) {}

  entry(ref: EntryRef): void {
    const memory = this.memory;
    const valueBytes = memory.valueBytes(ref);
    const writer = this.target.writer;
    if (valueBytes > SESSION_VALUE_BYTES_MAX || writer.at > COLLECTED_REPLY_BYTES_MAX) {
      writer.bulk(this.id, valueBytes, memory.epoch(ref), memory.seq(ref), memory.remainingMs(ref));
      return;
    }
    const at =
      this.kind === OperationKind.get
        ? writer.hit(this.id, valueBytes, false)
        : writer.entry(this.id, valueBytes, false, memory.epoch(ref), memory.seq(ref), memory.remainingMs(ref));
    memory.copyValue(ref, 0, valueBytes, writer.bytes, at);
  }

  value(bytes: Uint8Array, stale: boolean): void {
    const writer = this.target.writer;
    if (bytes.length > SESSION_VALUE_BYTES_MAX || writer.at > COLLECTED_REPLY_BYTES_MAX) {
      writer.bulk(this.id, bytes.length, 0, 0, TTL_NONE);
      return;
    }
    const at = writer.hit(this.id, bytes.length, stale);
    writer.bytes.set(bytes, at);
  }

  copied({ bytes, epoch, seq, remainingMs, stale }: CopiedEntry): void {
    const writer = this.target.writer;
    if (bytes.length > SESSION_VALUE_BYTES_MAX || writer.at > COLLECTED_REPLY_BYTES_MAX) {
      writer.bulk(this.id, bytes.length, epoch, seq, remainingMs);
      return;
    }
    const at =
      this.kind === OperationKind.get
        ? writer.hit(this.id, bytes.length, stale)
        : writer.entry(this.id, bytes.length, stale, epoch, seq, remainingMs);
    writer.bytes.set(bytes, at);
  }

  miss(): void {
    this.target.writer.miss(this.id);
  }

  leased(lease: number): void {
    this.target.writer.leased(this.id, lease);
  }

  refusedFill(): void {
    this.target.writer.refusedFill(this.id);
  }

  written(epoch: number, seq: number, copies: number): void {
    this.target.writer.written(this.id, epoch, seq, copies);
  }

  found(found: boolean): void {
    this.target.writer.found(this.id, found);
  }

  failed(error: LarderError): void {
    this.target.writer.failed(this.id, error);
  }

  /** PEEK saw this entry; 0: none. */
  peeked(ref: EntryRef): void {
    const { memory } = this;
    const { writer } = this.target;
    if (!isSeen(memory, ref)) writer.found(this.id, false);
    else writer.peeked(this.id, memory.epoch(ref), memory.seq(ref), memory.remainingMs(ref));
  }

  /** INVALIDATE is done in these partitions. */
  invalidated(count: number, partitions: Uint8Array): void {
    this.target.writer.invalidated(this.id, count, partitions);
  }

  later(): SessionReply {
    return this.target.deferReply(this);
  }
}

/** An answer that comes in a later turn. */
export class DeferredSessionReply extends SessionReply {
  constructor(target: ReplyTarget, from: SessionReply) {
    super(target);
    this.id = from.id;
    this.kind = from.kind;
    this.memory = from.memory;
  }

  override entry(ref: EntryRef): void {
    super.entry(ref);
    this.target.replied();
  }

  override value(bytes: Uint8Array, stale: boolean): void {
    super.value(bytes, stale);
    this.target.replied();
  }

  override copied(entry: CopiedEntry): void {
    super.copied(entry);
    this.target.replied();
  }

  override miss(): void {
    super.miss();
    this.target.replied();
  }

  override leased(lease: number): void {
    super.leased(lease);
    this.target.replied();
  }

  override refusedFill(): void {
    super.refusedFill();
    this.target.replied();
  }

  override written(epoch: number, seq: number, copies: number): void {
    super.written(epoch, seq, copies);
    this.target.replied();
  }

  override found(found: boolean): void {
    super.found(found);
    this.target.replied();
  }

  override failed(error: LarderError): void {
    super.failed(error);
    this.target.replied();
  }

  override invalidated(count: number, partitions: Uint8Array): void {
    super.invalidated(count, partitions);
    this.target.replied();
  }

  override later(): SessionReply {
    return this;
  }
}
