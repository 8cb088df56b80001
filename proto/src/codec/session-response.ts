import { errorCodeFromNumber, errorCodeNumber, LarderError, type Outcome } from '../errors.js';
import { type ClientView, readView, writeView } from './view.js';
import { LENGTH_DELIMITED, malformed, VARINT, WireReader } from './wire-reader.js';
import { varintBytes, WireWriter } from './wire-writer.js';

/** SessionResponse of larder/v1/cache.proto, written and read in place; see session-request.ts. */

const TAG_REPLY = (1 << 3) | LENGTH_DELIMITED;
const TAG_VIEW = (2 << 3) | LENGTH_DELIMITED;

const TAG_ID = (1 << 3) | VARINT;
const TAG_FAILURE = (2 << 3) | LENGTH_DELIMITED;
const TAG_VALUE = (3 << 3) | LENGTH_DELIMITED;
const TAG_EPOCH = (4 << 3) | VARINT;
const TAG_SEQ = (5 << 3) | VARINT;
const TAG_TTL = (6 << 3) | VARINT;
const TAG_FOUND = (7 << 3) | VARINT;
const TAG_BULK_BYTES = (8 << 3) | VARINT;
const TAG_STALE = (9 << 3) | VARINT;
const TAG_COPIES = (10 << 3) | VARINT;
const TAG_LEASE = (11 << 3) | VARINT;
const TAG_REFUSED_FILL = (12 << 3) | VARINT;
const TAG_INVALIDATED = (13 << 3) | VARINT;

/** All of a reply's tags, lengths and numbers together are shorter. */
const REPLY_OVERHEAD_MAX = 80;
/** `ttlMs` of an entry that never expires. */
export const TTL_NONE = -1;

const OUTCOME_NUMBERS: Record<Outcome, number> = { 'not-applied': 1, unknown: 2 };

export class SessionResponseWriter extends WireWriter {
  replies = 0;

  constructor(capacity: number) {
    super(capacity);
  }

  /** GET found nothing. */
  miss(id: number): void {
    this.#begin(id, 0);
  }

  /** GET found nothing, and it is its caller who loads. */
  leased(id: number, lease: number): void {
    this.#begin(id, 1 + varintBytes(lease));
    this.byte(TAG_LEASE);
    this.varint(lease);
  }

  /** SET came too late to fill its lease. */
  refusedFill(id: number): void {
    this.#begin(id, 2);
    this.#flag(TAG_REFUSED_FILL);
  }

  /** GET found a value: leaves `valueBytes` bytes for the caller to fill and returns where they begin. */
  hit(id: number, valueBytes: number, stale: boolean): number {
    this.#begin(id, 1 + varintBytes(valueBytes) + valueBytes + (stale ? 2 : 0));
    if (stale) this.#flag(TAG_STALE);
    this.byte(TAG_VALUE);
    this.varint(valueBytes);
    const start = this.at;
    this.at += valueBytes;
    return start;
  }

  /** ENTRY found a value: like `hit`, with what is known of it. */
  entry(id: number, valueBytes: number, stale: boolean, epoch: number, seq: number, ttlMs: number): number {
    this.#begin(id, metadataBytes(epoch, seq, ttlMs) + 1 + varintBytes(valueBytes) + valueBytes + (stale ? 2 : 0));
    this.#metadata(epoch, seq, ttlMs);
    if (stale) this.#flag(TAG_STALE);
    this.byte(TAG_VALUE);
    this.varint(valueBytes);
    const start = this.at;
    this.at += valueBytes;
    return start;
  }

  /** GET or ENTRY found a value that is too large for the session. */
  bulk(id: number, valueBytes: number, epoch: number, seq: number, ttlMs: number): void {
    this.#begin(id, metadataBytes(epoch, seq, ttlMs) + 1 + varintBytes(valueBytes));
    this.#metadata(epoch, seq, ttlMs);
    this.byte(TAG_BULK_BYTES);
    this.varint(valueBytes);
  }

  /** PEEK found an entry. */
  peeked(id: number, epoch: number, seq: number, ttlMs: number): void {
    this.#begin(id, metadataBytes(epoch, seq, ttlMs) + 2);
    this.#metadata(epoch, seq, ttlMs);
    this.#flag(TAG_FOUND);
  }

  written(id: number, epoch: number, seq: number, copies: number): void {
    this.#begin(id, metadataBytes(epoch, seq, TTL_NONE) + 1 + varintBytes(copies));
    this.#metadata(epoch, seq, TTL_NONE);
    this.byte(TAG_COPIES);
    this.varint(copies);
  }

  found(id: number, found: boolean): void {
    this.#begin(id, found ? 2 : 0);
    if (found) this.#flag(TAG_FOUND);
  }

  /** INVALIDATE is done in these partitions. */
  invalidated(id: number, count: number, partitions: Uint8Array): void {
    const { length } = partitions;
    this.#begin(id, 1 + varintBytes(length) + length + 1 + varintBytes(count));
    this.byte(TAG_VALUE);
    this.varint(length);
    this.copy(partitions, 0, length);
    this.byte(TAG_INVALIDATED);
    this.varint(count);
  }

  failed(id: number, error: LarderError): void {
    const failure = new WireWriter(256);
    failure.varint((1 << 3) | VARINT);
    failure.varint(errorCodeNumber(error.code));
    failure.string((2 << 3) | LENGTH_DELIMITED, error.reason);
    if (error.outcome) {
      failure.varint((3 << 3) | VARINT);
      failure.varint(OUTCOME_NUMBERS[error.outcome]);
    }
    const viewVersion = error.details?.viewVersion;
    if (typeof viewVersion === 'number') {
      failure.reserve(12);
      failure.varint((4 << 3) | VARINT);
      failure.varint(viewVersion);
    }
    if (error.details?.final === true) {
      failure.reserve(2);
      failure.varint((5 << 3) | VARINT);
      failure.varint(1);
    }
    this.#begin(id, 1 + varintBytes(failure.at) + failure.at);
    this.byte(TAG_FAILURE);
    this.varint(failure.at);
    this.copy(failure.bytes, 0, failure.at);
  }

  view(view: ClientView): void {
    this.message(TAG_VIEW, (inner) => writeView(inner, view));
  }

  #begin(id: number, bodyBytes: number): void {
    const length = 1 + varintBytes(id) + bodyBytes;
    this.reserve(length + REPLY_OVERHEAD_MAX);
    this.byte(TAG_REPLY);
    this.varint(length);
    this.byte(TAG_ID);
    this.varint(id);
    this.replies++;
  }

  #metadata(epoch: number, seq: number, ttlMs: number): void {
    this.byte(TAG_EPOCH);
    this.varint(epoch);
    this.byte(TAG_SEQ);
    this.varint(seq);
    if (ttlMs === TTL_NONE) return;
    this.byte(TAG_TTL);
    this.varint(ttlMs);
  }

  #flag(tag: number): void {
    this.byte(tag);
    this.byte(1);
  }
}

function metadataBytes(epoch: number, seq: number, ttlMs: number): number {
  return 2 + varintBytes(epoch) + varintBytes(seq) + (ttlMs === TTL_NONE ? 0 : 1 + varintBytes(ttlMs));
}

/** What `next` found. */
export const ResponseItem = { end: 0, reply: 1, view: 2 } as const;

export class SessionResponseReader extends WireReader {
  // The reply found last.
  id = 0;
  hasValue = false;
  valueStart = 0;
  valueEnd = 0;
  epoch = 0;
  seq = 0;
  ttlMs = TTL_NONE;
  found = false;
  bulkBytes = 0;
  stale = false;
  copies = 0;
  /** 0: none was granted. */
  lease = 0;
  refusedFill = false;
  invalidated = 0;
  /** Undefined for a success. */
  failure: LarderError | undefined;
  // The view found last.
  view: ClientView | undefined;

  /** Steps to the next item of the frame. Throws BAD_ARGUMENT for bytes that are no SessionResponse. */
  next(): number {
    while (this.at < this.end) {
      const tag = this.varint();
      if (tag === TAG_REPLY) {
        this.#readReply();
        return ResponseItem.reply;
      }
      if (tag === TAG_VIEW) {
        const length = this.length();
        this.view = readView(this, this.at + length);
        return ResponseItem.view;
      }
      this.skip(tag & 7);
    }
    return ResponseItem.end;
  }

  #readReply(): void {
    const length = this.length();
    const end = this.at + length;
    this.id = 0;
    this.hasValue = false;
    this.valueStart = 0;
    this.valueEnd = 0;
    this.epoch = 0;
    this.seq = 0;
    this.ttlMs = TTL_NONE;
    this.found = false;
    this.bulkBytes = 0;
    this.stale = false;
    this.copies = 0;
    this.lease = 0;
    this.refusedFill = false;
    this.invalidated = 0;
    this.failure = undefined;
    while (this.at < end) {
      const tag = this.varint();
      switch (tag) {
        case TAG_ID:
          this.id = this.uint32();
          break;
        case TAG_VALUE: {
          const valueBytes = this.length();
          this.valueStart = this.at;
          this.valueEnd = this.at += valueBytes;
          this.hasValue = true;
          break;
        }
        case TAG_FAILURE:
          this.#readFailure();
          break;
        case TAG_EPOCH:
          this.epoch = this.uint32();
          break;
        case TAG_SEQ:
          this.seq = this.varint();
          break;
        case TAG_TTL:
          this.ttlMs = this.varint();
          break;
        case TAG_FOUND:
          this.found = this.varint() !== 0;
          break;
        case TAG_BULK_BYTES:
          this.bulkBytes = this.varint();
          break;
        case TAG_STALE:
          this.stale = this.varint() !== 0;
          break;
        case TAG_COPIES:
          this.copies = this.uint32();
          break;
        case TAG_INVALIDATED:
          this.invalidated = this.varint();
          break;
        case TAG_LEASE:
          this.lease = this.varint();
          break;
        case TAG_REFUSED_FILL:
          this.refusedFill = this.varint() !== 0;
          break;
        default:
          this.skip(tag & 7);
      }
    }
    if (this.at !== end) throw malformed('a field that reaches beyond its message', this.at);
  }

  #readFailure(): void {
    const length = this.length();
    const end = this.at + length;
    let code = 0;
    let message = '';
    let outcome = 0;
    let viewVersion = 0;
    let final = false;
    while (this.at < end) {
      const tag = this.varint();
      if (tag === ((1 << 3) | VARINT)) code = this.varint();
      else if (tag === ((2 << 3) | LENGTH_DELIMITED)) message = this.string();
      else if (tag === ((3 << 3) | VARINT)) outcome = this.varint();
      else if (tag === ((4 << 3) | VARINT)) viewVersion = this.varint();
      else if (tag === ((5 << 3) | VARINT)) final = this.varint() !== 0;
      else this.skip(tag & 7);
    }
    this.failure = failureToError({ code, message, outcome, viewVersion, final });
  }
}

/** Failure of larder/v1/cache.proto as generated codecs give and take it. */
export interface WireFailure {
  readonly code: number;
  readonly message: string;
  readonly outcome: number;
  readonly viewVersion: number;
  readonly final: boolean;
}

/** As an error; the same for the session and for generated codecs. `details` has `viewVersion` and `final`, if there are any. */
export function failureToError({ code, message, outcome, viewVersion, final }: WireFailure): LarderError {
  const details = { ...(viewVersion > 0 ? { viewVersion } : {}), ...(final ? { final } : {}) };
  return new LarderError(errorCodeFromNumber(code), message, {
    outcome: outcome === 1 ? 'not-applied' : outcome === 2 ? 'unknown' : undefined,
    details: viewVersion > 0 || final ? details : undefined,
  });
}

/** The other direction, for generated codecs. */
export function errorToFailure({ code, reason, outcome, details }: LarderError): WireFailure {
  const viewVersion = details?.viewVersion;
  return {
    code: errorCodeNumber(code),
    message: reason,
    outcome: outcome ? OUTCOME_NUMBERS[outcome] : 0,
    viewVersion: typeof viewVersion === 'number' ? viewVersion : 0,
    final: details?.final === true,
  };
}
