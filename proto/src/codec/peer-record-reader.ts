import {
  FIXED64_BYTES,
  TAG_RECORD_CACHE,
  TAG_RECORD_CLIENT,
  TAG_RECORD_EPOCH,
  TAG_RECORD_FLAGS,
  TAG_RECORD_KEY,
  TAG_RECORD_NUMBER,
  TAG_RECORD_RESULT,
  TAG_RECORD_SEQ,
  TAG_RECORD_SETTLED,
  TAG_RECORD_TTL,
  TAG_RECORD_VALUE,
  TAG_REQUEST_CLIENT,
  TAG_REQUEST_EPOCH,
  TAG_REQUEST_NUMBER,
  TAG_REQUEST_RESULT,
  TAG_REQUEST_SEQ,
  TAG_REQUEST_SETTLED,
} from './peer-record.js';
import { malformed, WireReader } from './wire-reader.js';

/** PeerRecord and PeerRequest of larder/v1/peer.proto, read in place: one cursor for all of them. */
export class PeerRecordReader extends WireReader {
  // The record or request found last; of a request only the numbers.
  recordEpoch = 0;
  recordSeq = 0;
  cache = 0;
  keyStart = 0;
  keyEnd = 0;
  hasValue = false;
  valueStart = 0;
  valueEnd = 0;
  ttlMs = 0;
  flags = 0;
  hasClient = false;
  client = 0;
  number = 0;
  settledBelow = 0;
  result = 0;

  protected readRecord(end: number): void {
    this.#clearRecord();
    while (this.at < end) {
      const tag = this.varint();
      switch (tag) {
        case TAG_RECORD_EPOCH:
          this.recordEpoch = this.uint32();
          break;
        case TAG_RECORD_SEQ:
          this.recordSeq = this.uint53();
          break;
        case TAG_RECORD_CACHE:
          this.cache = this.uint32();
          break;
        case TAG_RECORD_KEY:
          this.keyEnd = this.enter();
          this.keyStart = this.at;
          this.at = this.keyEnd;
          break;
        case TAG_RECORD_VALUE:
          this.valueEnd = this.enter();
          this.valueStart = this.at;
          this.at = this.valueEnd;
          this.hasValue = true;
          break;
        case TAG_RECORD_TTL:
          this.ttlMs = this.uint53();
          break;
        case TAG_RECORD_FLAGS:
          this.flags = this.uint32();
          break;
        case TAG_RECORD_CLIENT:
          this.client = this.uint53();
          this.hasClient = true;
          break;
        case TAG_RECORD_NUMBER:
          this.number = this.uint53();
          break;
        case TAG_RECORD_SETTLED:
          this.settledBelow = this.uint53();
          break;
        case TAG_RECORD_RESULT:
          this.result = this.double();
          break;
        default:
          this.skip(tag & 7);
      }
    }
    this.leave(end);
  }

  #clearRecord(): void {
    this.recordEpoch = 0;
    this.recordSeq = 0;
    this.cache = 0;
    this.keyStart = 0;
    this.keyEnd = 0;
    this.hasValue = false;
    this.valueStart = 0;
    this.valueEnd = 0;
    this.ttlMs = 0;
    this.flags = 0;
    this.hasClient = false;
    this.client = 0;
    this.number = 0;
    this.settledBelow = 0;
    this.result = 0;
  }

  protected readRequest(end: number): void {
    this.#clearRecord();
    while (this.at < end) {
      const tag = this.varint();
      if (tag === TAG_REQUEST_CLIENT) this.client = this.uint53();
      else if (tag === TAG_REQUEST_NUMBER) this.number = this.uint53();
      else if (tag === TAG_REQUEST_SETTLED) this.settledBelow = this.uint53();
      else if (tag === TAG_REQUEST_SEQ) this.recordSeq = this.uint53();
      else if (tag === TAG_REQUEST_EPOCH) this.recordEpoch = this.uint32();
      else if (tag === TAG_REQUEST_RESULT) this.result = this.double();
      else this.skip(tag & 7);
    }
    this.leave(end);
  }

  protected uint53(): number {
    const value = this.varint();
    if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number above 2^53', this.at);
    return value;
  }

  protected double(): number {
    if (this.end - this.at < FIXED64_BYTES) throw malformed('the frame ends inside a number', this.at);
    const value = this.bytes.readDoubleLE(this.at);
    if (!Number.isFinite(value)) throw malformed(`the number ${value}`, this.at);
    this.at += FIXED64_BYTES;
    return value;
  }

  /** Where the field that starts here ends. */
  protected enter(): number {
    const length = this.length();
    return this.at + length;
  }

  protected leave(end: number): void {
    if (this.at !== end) throw malformed('a field that reaches beyond its message', this.at);
  }
}
