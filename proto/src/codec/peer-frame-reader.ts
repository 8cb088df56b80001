import {
  NO_ATTEMPT,
  TAG_ATTEMPT,
  TAG_CHUNK,
  TAG_COPY,
  TAG_DOCUMENT,
  TAG_EPOCH,
  TAG_KIND,
  TAG_LAST,
  TAG_LAST_PART,
  TAG_MESSAGE,
  TAG_MONOTONIC,
  TAG_PART,
  TAG_PARTITION,
  TAG_RECEIVER,
  TAG_RECORDS,
  TAG_REQUESTS,
  TAG_SEQ,
  TAG_VIEW_VERSION,
  TAG_WALL,
} from './peer-frame-writer.js';
import { type PeerIdentity, readPeer, TAG_SENDER } from './peer-identity.js';
import { PeerRecordReader } from './peer-record-reader.js';
import { LENGTH_DELIMITED, malformed } from './wire-reader.js';

/**
 * LinkRequest of larder/v1/peer.proto, read in place by a cursor: `reset` finds the head, `next` steps to a message,
 * `nextRecord` and `nextRequest` to what that contains. Fields may come in any order and unknown ones are passed over.
 * Everything thrown is BAD_ARGUMENT; numbers above 2^53 are, and what else they may be is the caller's to check.
 */
export class PeerFrameReader extends PeerRecordReader {
  // The head.
  receiver = '';
  viewVersion = 0;
  hasPart = false;
  partStart = 0;
  partEnd = 0;
  isLastPart = false;

  // The message found last.
  kind = 0;
  partition = 0;
  epoch = 0;
  copy = 0;
  seq = 0;
  attempt = NO_ATTEMPT;
  chunk = 0;
  last = false;
  monotonicMs = 0;
  wallMs = 0;
  documentStart = 0;
  documentEnd = 0;
  recordCount = 0;
  requestCount = 0;

  #sender: PeerIdentity | undefined;
  #senderBytes: Buffer = Buffer.alloc(0);
  #senderStart = 0;
  #senderEnd = 0;
  #messageEnd = 0;
  #recordAt = 0;
  #requestAt = 0;

  /** Reads the head of a frame, wherever its fields stand. */
  open(frame: Buffer): void {
    this.reset(frame);
    this.receiver = '';
    this.viewVersion = 0;
    this.hasPart = false;
    this.isLastPart = false;
    this.#senderStart = 0;
    this.#senderEnd = 0;
    while (this.at < this.end) this.#readHeadField(this.varint());
    this.at = 0;
  }

  /** The last frame's, if it is the same: decoded once a stream. Throws if the frame has none. */
  sender(): PeerIdentity {
    const { bytes } = this;
    const [start, end] = [this.#senderStart, this.#senderEnd];
    if (start === end) throw malformed('a frame without sender', 0);
    const isSame = this.#senderBytes.compare(bytes, start, end) === 0;
    if (isSame && this.#sender !== undefined) return this.#sender;
    this.#sender = readPeer(bytes, start, end);
    this.#senderBytes = Buffer.from(bytes.subarray(start, end));
    return this.#sender;
  }

  /** Steps to the next message of the frame; false at its end. */
  next(): boolean {
    while (this.at < this.end) {
      const tag = this.varint();
      if (tag === TAG_MESSAGE) {
        const length = this.length();
        this.#readMessage(this.at, this.at + length);
        return true;
      }
      this.skip(tag & 7);
    }
    return false;
  }

  /** One message by itself, as it was put together from its parts. */
  openMessage(message: Buffer): void {
    this.reset(message);
    this.#readMessage(0, message.length);
  }

  nextRecord(): boolean {
    if (!this.#find(TAG_RECORDS, this.#recordAt)) return false;
    const end = this.enter();
    this.readRecord(end);
    this.#recordAt = end;
    this.at = this.#messageEnd;
    return true;
  }

  nextRequest(): boolean {
    if (!this.#find(TAG_REQUESTS, this.#requestAt)) return false;
    const end = this.enter();
    this.readRequest(end);
    this.#requestAt = end;
    this.at = this.#messageEnd;
    return true;
  }

  #readHeadField(tag: number): void {
    if (tag === TAG_MESSAGE) this.skip(LENGTH_DELIMITED);
    else if (tag === TAG_SENDER) {
      this.#senderEnd = this.enter();
      this.#senderStart = this.at;
      this.at = this.#senderEnd;
    } else if (tag === TAG_RECEIVER) this.receiver = this.string();
    else if (tag === TAG_VIEW_VERSION) this.viewVersion = this.uint53();
    else if (tag === TAG_PART) {
      this.partEnd = this.enter();
      this.partStart = this.at;
      this.at = this.partEnd;
      this.hasPart = true;
    } else if (tag === TAG_LAST_PART) this.isLastPart = this.varint() !== 0;
    else this.skip(tag & 7);
  }

  #readMessage(start: number, end: number): void {
    this.#messageEnd = end;
    this.#recordAt = start;
    this.#requestAt = start;
    this.kind = 0;
    this.partition = 0;
    this.epoch = 0;
    this.copy = 0;
    this.seq = 0;
    this.attempt = NO_ATTEMPT;
    this.chunk = 0;
    this.last = false;
    this.monotonicMs = 0;
    this.wallMs = 0;
    this.documentStart = 0;
    this.documentEnd = 0;
    this.recordCount = 0;
    this.requestCount = 0;
    while (this.at < end) this.#readMessageField(this.varint());
    this.leave(end);
  }

  #readMessageField(tag: number): void {
    switch (tag) {
      case TAG_RECORDS:
        this.recordCount++;
        this.skip(LENGTH_DELIMITED);
        return;
      case TAG_REQUESTS:
        this.requestCount++;
        this.skip(LENGTH_DELIMITED);
        return;
      case TAG_KIND:
        this.kind = this.uint32();
        return;
      case TAG_PARTITION:
        this.partition = this.uint32();
        return;
      case TAG_EPOCH:
        this.epoch = this.uint32();
        return;
      case TAG_COPY:
        this.copy = this.uint32();
        return;
      case TAG_SEQ:
        this.seq = this.uint53();
        return;
      case TAG_ATTEMPT:
        this.attempt = this.uint53();
        return;
      case TAG_CHUNK:
        this.chunk = this.uint32();
        return;
      case TAG_LAST:
        this.last = this.varint() !== 0;
        return;
      case TAG_MONOTONIC:
        this.monotonicMs = this.double();
        return;
      case TAG_WALL:
        this.wallMs = this.double();
        return;
      case TAG_DOCUMENT:
        this.documentEnd = this.enter();
        this.documentStart = this.at;
        this.at = this.documentEnd;
        return;
      default:
        this.skip(tag & 7);
    }
  }

  /** Moves to the content of the message's next field with this tag, seen from `from`; false: there is none. */
  #find(wanted: number, from: number): boolean {
    this.at = from;
    while (this.at < this.#messageEnd) {
      const tag = this.varint();
      if (tag === wanted) return true;
      this.skip(tag & 7);
    }
    return false;
  }
}
