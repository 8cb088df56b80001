import type { ServerDuplexStream } from '@grpc/grpc-js';
import { assert } from '@larder/base';
import type { Reply, TagHashes } from '@larder/loader';
import {
  Acknowledgement,
  CACHE_COUNT_MAX,
  type KeySlice,
  LarderError,
  OperationKind,
  PROTOCOL_VERSION,
  partitionOf,
  RequestItem,
  SESSION_FRAME_BYTES_MAX,
  SESSION_OPERATIONS_MAX,
  SESSION_VALUE_BYTES_MAX,
  SessionRequestReader,
  SessionResponseWriter,
  toLarderError,
} from '@larder/proto';
import type { NodeCache } from '../caches.js';
import { admitWrite } from '../partitions/admit-write.js';
import { CommittedReply } from '../partitions/committed-reply.js';
import { FrameQueue, QUEUED_FRAMES_MAX } from './frame-queue.js';
import { checkKey, checkTtl, checkValue, unknownKind, WRITES } from './operation-checks.js';
import { readTags } from './operation-tags.js';
import type { ServerContext } from './server-context.js';
import { invalidate } from './session-invalidate.js';
import { DeferredSessionReply, type ReplyTarget, SessionReply } from './session-replies.js';
import { ViewNews } from './view-news.js';

/**
 * One client's stream. Frames wait in a queue; at most OPERATIONS_PER_SLICE operations are handled, their replies leave
 * as one frame, and the event loop gets its turn before the next slice. Client and node both slice, so that one works
 * while the other does: twice the throughput of whole frames (transport study, section 1).
 *
 * One write is outstanding at a time; replies that come meanwhile collect in the other of two buffers. A client that
 * does not read its replies is not read from either.
 */

/** 128 to 256 measured best at 512 callers. */
const OPERATIONS_PER_SLICE = 128;
const REPLY_BYTES_PER_SLICE = 64 * 1024;
const REPLY_BUFFER_BYTES = 128 * 1024;
const DEFAULT_TIMEOUT_MS = 1_000;

export type SessionStream = ServerDuplexStream<Buffer, Buffer>;

export class Session implements ReplyTarget {
  writer = new SessionResponseWriter(REPLY_BUFFER_BYTES);
  #spareWriter = new SessionResponseWriter(REPLY_BUFFER_BYTES);
  readonly #reader = new SessionRequestReader();
  readonly #scanner = new SessionRequestReader();
  readonly #frames: FrameQueue;
  readonly #caches: NodeCache[] = [];
  readonly #reply = new SessionReply(this);
  readonly #committed: CommittedReply;
  readonly #write = { clientId: 0, request: 0, settledBelow: 0, isRetry: false, lost: 0 };
  readonly #key: KeySlice = { bytes: Buffer.alloc(0), start: 0, end: 0, partition: 0 };
  #frameOpen = false;
  /** This frame's `open` and `hello` have been read before their turn. */
  #lookedAhead = false;
  /** In this frame. */
  #opens = 0;
  #sliceScheduled = false;
  #flushScheduled = false;
  #writing = false;
  #greeted = false;
  readonly #viewNews = new ViewNews();
  #inputEnded = false;
  #ended = false;
  #defaultTimeoutMs = DEFAULT_TIMEOUT_MS;
  /** Operations that are answered in a later turn. */
  #deferredCount = 0;
  clientName = '';
  /** 0: its writes are not known again. */
  #clientId = 0;
  /** Of all frames: the client has settled all requests below it. */
  #settledBelow = 0;

  constructor(
    readonly stream: SessionStream,
    readonly context: ServerContext,
    readonly onEnd: (session: Session) => void,
  ) {
    this.#frames = new FrameQueue(stream);
    this.#committed = new CommittedReply(context.partitions);
    stream.on('data', (frame: Buffer) => this.#receive(frame));
    stream.on('end', () => {
      this.#inputEnded = true;
      this.#endWhenDone();
    });
    stream.on('error', () => this.#close());
    stream.on('cancelled', () => this.#close());
    stream.on('close', () => this.#close());
  }

  /** Operations that were accepted and not answered yet. */
  get inFlight(): number {
    return this.#deferredCount + this.#frames.length + (this.#frameOpen ? 1 : 0);
  }

  /** Ends the stream; call it when nothing is in flight any more. */
  end(): void {
    if (this.#ended) return;
    this.#flush();
    this.#inputEnded = true;
    this.#endWhenDone();
  }

  /** The client hears of it with the next frame, or with one of its own. */
  viewChanged(): void {
    if (this.#ended || !this.#greeted || this.context.view === undefined) return;
    this.#viewNews.changed(this.writer, this.context.view);
    this.#flush();
  }

  deferReply(reply: SessionReply): SessionReply {
    this.#deferredCount++;
    return new DeferredSessionReply(this, reply);
  }

  replied(): void {
    this.#deferredCount--;
    if (this.#flushScheduled || this.#sliceScheduled) return;
    this.#flushScheduled = true;
    setImmediate(this.#flushLater);
  }

  readonly #flushLater = (): void => {
    this.#flushScheduled = false;
    this.#flush();
    this.#endWhenDone();
  };

  #receive(frame: Buffer): void {
    if (this.#ended) return;
    if (frame.length > SESSION_FRAME_BYTES_MAX) {
      this.#refuse(
        new LarderError('TOO_LARGE', `a frame of ${frame.length} bytes; allowed are ${SESSION_FRAME_BYTES_MAX}`),
      );
      return;
    }
    if (!this.#frames.push(frame)) {
      this.#refuse(new LarderError('BUSY', `more than ${QUEUED_FRAMES_MAX} frames are waiting on this session`));
      return;
    }
    if (!this.#sliceScheduled) this.#runSlice();
  }

  readonly #runSlice = (): void => {
    this.#sliceScheduled = false;
    if (this.#ended || !this.#hasRoom()) return;
    this.context.partitions.beginTurn();
    try {
      this.#handleItems();
    } catch (error) {
      this.#refuse(toLarderError(error));
      return;
    }
    this.#flush();
    if (this.#frameOpen || this.#frames.length > 0) {
      this.#scheduleSlice();
    } else {
      this.#endWhenDone();
    }
  };

  /** For a slice's replies. If there is none, it goes on once the outstanding write is done. */
  #hasRoom(): boolean {
    if (this.writer.at >= REPLY_BYTES_PER_SLICE) this.#flush();
    return this.writer.at < REPLY_BYTES_PER_SLICE;
  }

  #scheduleSlice(): void {
    if (this.#sliceScheduled) return;
    this.#sliceScheduled = true;
    setImmediate(this.#runSlice);
  }

  #handleItems(): void {
    const reader = this.#reader;
    for (let items = 0; items < OPERATIONS_PER_SLICE && this.writer.at < REPLY_BYTES_PER_SLICE; items++) {
      if (!this.#frameOpen && !this.#openFrame()) return;
      const item = reader.next();
      if (item === RequestItem.operation) {
        this.#operate(reader);
      } else if (item === RequestItem.end) {
        this.#closeFrame();
      } else if (!this.#lookedAhead) {
        this.#introduce(item, reader);
      }
    }
  }

  #openFrame(): boolean {
    const frame = this.#frames.shift();
    if (!frame) return false;
    this.#reader.reset(frame);
    this.#key.bytes = frame;
    this.#frameOpen = true;
    this.#lookedAhead = false;
    this.#opens = 0;
    if (!this.#greeted) {
      this.#lookAhead();
      if (!this.#greeted) throw new LarderError('BAD_ARGUMENT', 'the first message of a session must carry hello');
    }
    return true;
  }

  /**
   * A generated codec writes the operations of a message before its `open` and `hello`. So the first frame, and one
   * with a handle that is not open, is read for these two before its operations go on.
   */
  #lookAhead(): void {
    if (this.#lookedAhead) return;
    this.#lookedAhead = true;
    const scanner = this.#scanner;
    scanner.reset(this.#reader.bytes);
    for (let item = scanner.next(); item !== RequestItem.end; item = scanner.next()) {
      if (item !== RequestItem.operation) this.#introduce(item, scanner);
    }
  }

  #introduce(item: number, reader: SessionRequestReader): void {
    if (item === RequestItem.open) this.#open(reader.cache, reader.name);
    else this.#greet(reader);
  }

  #closeFrame(): void {
    this.#frameOpen = false;
    this.#frames.done(this.#reader.end);
  }

  #greet(reader: SessionRequestReader): void {
    if (this.#greeted) throw new LarderError('BAD_ARGUMENT', 'a session carries hello once, in its first message');
    if (reader.protocol !== PROTOCOL_VERSION) {
      throw new LarderError(
        'INCOMPATIBLE',
        `hello.protocol is ${reader.protocol}; node ${this.context.selfId} speaks ${PROTOCOL_VERSION}`,
      );
    }
    this.#greeted = true;
    this.clientName = reader.name.slice(0, 128);
    if (reader.timeoutMs > 0) this.#defaultTimeoutMs = reader.timeoutMs;
    this.#clientId = reader.clientId;
    if (this.context.view !== undefined) this.writer.view(this.context.view);
  }

  #open(handle: number, name: string): void {
    if (++this.#opens > CACHE_COUNT_MAX) {
      throw new LarderError('BAD_ARGUMENT', `a frame opens more than ${CACHE_COUNT_MAX} caches`);
    }
    if (handle >= CACHE_COUNT_MAX) {
      throw new LarderError('BAD_ARGUMENT', `open.handle is ${handle}; allowed are 0 to ${CACHE_COUNT_MAX - 1}`);
    }
    // An unknown name is no fault of the session: operations on the handle are answered UNKNOWN_CACHE.
    this.#unknownNames.delete(handle);
    delete this.#caches[handle];
    try {
      this.#caches[handle] = this.context.caches.named(name);
    } catch (error) {
      this.#unknownNames.set(handle, toLarderError(error));
    }
  }

  /** At most one per handle. */
  readonly #unknownNames = new Map<number, LarderError>();

  #operate(reader: SessionRequestReader): void {
    const reply = this.#reply;
    reply.id = reader.id;
    reply.kind = reader.kind;
    const cache = this.#caches[reader.cache] ?? this.#openedLater(reader.cache);
    if (cache === undefined) {
      reply.failed(this.#unknownCache(reader.cache));
      return;
    }
    reply.memory = cache.memory;
    const tags = readTags(reader);
    const fault = this.#faultOf(reader) ?? (tags instanceof LarderError ? tags : undefined);
    if (fault !== undefined || tags instanceof LarderError) {
      reply.failed(fault!);
      return;
    }
    const key = this.#key;
    key.start = reader.keyStart;
    key.end = reader.keyEnd;
    key.partition = partitionOf(key.bytes, key.start, key.end);
    const { partitions } = this.context;
    if (!partitions.serves(key.partition)) {
      reply.failed(partitions.refusal(key.partition));
      return;
    }
    if (reader.kind === OperationKind.invalidate) {
      invalidate(this.context, cache, key.partition, reader, tags, reply);
      return;
    }
    const isWrite = WRITES[reader.kind] === true;
    const committed = this.#committed.to(
      reply,
      cache.memory,
      key.partition,
      isWrite,
      reader.ack === Acknowledgement.owner,
    );
    if (isWrite && !this.#admitWrite(cache, reader, committed)) return;
    this.#dispatch(cache, reader, committed, tags);
  }

  #admitWrite(cache: NodeCache, reader: SessionRequestReader, reply: CommittedReply): boolean {
    if (reader.settledBelow > this.#settledBelow) this.#settledBelow = reader.settledBelow;
    const write = this.#write;
    write.clientId = this.#clientId;
    write.request = reader.requestNumber;
    write.settledBelow = this.#settledBelow;
    write.isRetry = reader.isRetry;
    write.lost = reader.lost;
    const isSet = reader.kind === OperationKind.set;
    return admitWrite(this.context.partitions, cache, this.#key.partition, write, isSet, reply);
  }

  #dispatch(cache: NodeCache, reader: SessionRequestReader, reply: Reply, tags: TagHashes | undefined): void {
    const key = this.#key;
    const timeoutMs = reader.timeoutMs || this.#defaultTimeoutMs;
    switch (reader.kind) {
      case OperationKind.get:
      case OperationKind.entry:
        if (reader.lease) cache.loader.lease(key, reply, timeoutMs, this);
        else if (reader.read !== 0) cache.loader.read(key, reader.read, reply, timeoutMs);
        else cache.loader.get(key, reply, timeoutMs);
        return;
      case OperationKind.set:
        this.#set(cache, reader, reply, timeoutMs, tags);
        return;
      case OperationKind.delete:
        cache.loader.delete(key, reply, timeoutMs, reader.write);
        return;
      case OperationKind.expire:
        cache.loader.expire(key, reader.ttlMs, reply);
        return;
      case OperationKind.release:
        this.writer.found(reader.id, cache.loader.release(key, reader.fill));
        return;
      case OperationKind.peek:
        this.#reply.peeked(cache.memory.peek(key));
        return;
      default:
        reply.failed(unknownKind(reader.kind));
    }
  }

  #set(
    { loader }: NodeCache,
    reader: SessionRequestReader,
    reply: Reply,
    timeoutMs: number,
    tags: TagHashes | undefined,
  ): void {
    const { bytes, valueStart, valueEnd, ttlMs, fill, write } = reader;
    if (fill === 0) loader.set(this.#key, bytes, valueStart, valueEnd, ttlMs, reply, timeoutMs, write, tags);
    else loader.fill(this.#key, fill, bytes, valueStart, valueEnd, ttlMs, reply, timeoutMs, write, tags);
  }

  #faultOf(reader: SessionRequestReader): LarderError | undefined {
    if (this.context.draining) return this.context.drainingError();
    if (this.#deferredCount >= SESSION_OPERATIONS_MAX) {
      return new LarderError('BUSY', `more than ${SESSION_OPERATIONS_MAX} operations are waiting on this session`, {
        outcome: 'not-applied',
      });
    }
    return (
      checkKey(reader.keyEnd - reader.keyStart) ??
      checkTtl(reader.ttlMs) ??
      checkValue(reader.valueEnd - reader.valueStart, Math.min(SESSION_VALUE_BYTES_MAX, this.context.valueBytesMax))
    );
  }

  #unknownCache(handle: number): LarderError {
    return (
      this.#unknownNames.get(handle) ??
      new LarderError('UNKNOWN_CACHE', `handle ${handle} was not opened on this session`, { outcome: 'not-applied' })
    );
  }

  #openedLater(handle: number): NodeCache | undefined {
    this.#lookAhead();
    return this.#caches[handle];
  }

  #flush(): void {
    const full = this.writer;
    if (this.#writing || full.at === 0 || this.#ended) return;
    this.#viewNews.complete(full, this.context.view);
    this.writer = this.#spareWriter;
    assert(this.writer.at === 0, 'the spare reply buffer is in use');
    this.#spareWriter = full;
    this.#writing = true;
    this.stream.write(full.bytes.subarray(0, full.at), this.#written);
  }

  /** grpc-js has copied the bytes by now, so the buffer is free again. */
  readonly #written = (): void => {
    this.#writing = false;
    this.#spareWriter.at = 0;
    if (this.writer.at > 0) this.#flush();
    if (this.#frameOpen || this.#frames.length > 0) this.#scheduleSlice();
    else this.#endWhenDone();
  };

  /** The client has said all it will say and has been told all there is to tell. */
  #endWhenDone(): void {
    if (!this.#inputEnded || this.#ended || this.#writing || this.inFlight > 0 || this.writer.at > 0) return;
    this.stream.end();
    this.#close();
  }

  /** Ends the session for a fault of the client's: nothing that follows on it could be trusted. */
  #refuse(error: LarderError): void {
    if (this.#ended) return;
    this.context.log.warn({ event: 'session-refused', client: this.clientName, error: error.message });
    this.#close();
    this.context.endWithError(this.stream, error);
  }

  #close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#frameOpen = false;
    this.#frames.clear();
    for (const { loader } of this.context.caches.all) loader.releaseAll(this);
    this.onEnd(this);
  }
}
