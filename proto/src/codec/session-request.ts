import { TAGS_MAX } from '../limits.js';
import { LENGTH_DELIMITED, malformed, VARINT, WireReader } from './wire-reader.js';
import { varintBytes, WireWriter } from './wire-writer.js';

/**
 * SessionRequest of larder/v1/cache.proto, written and read in place. These are real protobuf messages: fields may
 * come in any order, unknown ones are passed over, and a generated codec reads and writes the same bytes.
 *
 * Both classes are cursors that one session uses for all its frames, so an operation costs no object.
 */

export const OperationKind = {
  get: 1,
  set: 2,
  delete: 3,
  entry: 4,
  peek: 5,
  expire: 6,
  invalidate: 7,
  release: 8,
} as const;

/** `ttlMs` when the operation names none: the cache's default applies. On the wire 0 means that it never expires. */
export const TTL_DEFAULT = -1;
export const TTL_NEVER = 0;

/** Anything but `owner` is `replicated`. */
export const Acknowledgement = { replicated: 1, owner: 2 } as const;

/** Where a read looks; see cache.proto. */
export const ReadMode = { byPolicy: 0, aside: 1, through: 2, fresh: 3 } as const;

/** What a write does, whatever its cache's policy says; see cache.proto. */
export const WriteMode = { byPolicy: 0, memory: 1, through: 2, behind: 3, around: 4 } as const;

/** What few operations carry. */
export interface OperationExtras {
  /** SET and INVALIDATE. */
  readonly tags?: readonly string[];
  /** GET: grant a fill lease on a miss. */
  readonly lease?: boolean;
  /** SET and RELEASE: the lease. */
  readonly fill?: number;
  /** A ReadMode. */
  readonly read?: number;
  /** SET and DELETE: a WriteMode. */
  readonly write?: number;
}

const TAG_OPERATION = (1 << 3) | LENGTH_DELIMITED;
const TAG_OPEN = (2 << 3) | LENGTH_DELIMITED;
const TAG_HELLO = (3 << 3) | LENGTH_DELIMITED;
const TAG_SETTLED_BELOW = (4 << 3) | VARINT;
const TAG_VIEW_VERSION = (5 << 3) | VARINT;

const TAG_ID = (1 << 3) | VARINT;
const TAG_KIND = (2 << 3) | VARINT;
const TAG_CACHE = (3 << 3) | VARINT;
const TAG_KEY = (4 << 3) | LENGTH_DELIMITED;
const TAG_VALUE = (5 << 3) | LENGTH_DELIMITED;
const TAG_TTL = (6 << 3) | VARINT;
const TAG_TIMEOUT = (7 << 3) | VARINT;
const TAG_REQUEST = (8 << 3) | VARINT;
const TAG_RETRY = (9 << 3) | VARINT;
const TAG_LOST = (10 << 3) | VARINT;
const TAG_ACK = (11 << 3) | VARINT;
const TAG_TAGS = (12 << 3) | LENGTH_DELIMITED;
const TAG_LEASE = (13 << 3) | VARINT;
const TAG_FILL = (14 << 3) | VARINT;
const TAG_WRITE = (15 << 3) | VARINT;
const TAG_READ = (16 << 3) | VARINT;

/** Tags and lengths of one operation besides its key, value and the varints that are counted. */
const OPERATION_OVERHEAD_MAX = 64;
/** A tag and a varint. */
const FRAME_NUMBER_BYTES_MAX = 12;

export class SessionRequestWriter extends WireWriter {
  operations = 0;

  constructor(capacity: number) {
    super(capacity);
  }

  /** `value` is undefined for operations that carry none; `lost` counts with `isRetry` only. */
  operation(
    id: number,
    kind: number,
    cache: number,
    key: Uint8Array,
    keyEnd: number,
    value: Uint8Array | undefined,
    ttlMs: number,
    timeoutMs: number,
    request = 0,
    isRetry = false,
    lost = 0,
    ack: number = Acknowledgement.replicated,
    extras?: OperationExtras,
  ): void {
    let length = 2 + varintBytes(id) + 1 + 1 + varintBytes(keyEnd) + keyEnd;
    if (cache !== 0) length += 1 + varintBytes(cache);
    if (value !== undefined) length += 1 + varintBytes(value.length) + value.length;
    if (ttlMs !== TTL_DEFAULT) length += 1 + varintBytes(ttlMs);
    if (timeoutMs !== 0) length += 1 + varintBytes(timeoutMs);
    if (request !== 0) length += 1 + varintBytes(request);
    if (isRetry) length += 2 + (lost === 0 ? 0 : 1 + varintBytes(lost));
    if (ack !== Acknowledgement.replicated) length += 1 + varintBytes(ack);
    if (extras !== undefined) length += extrasBytes(extras);
    this.reserve(length + OPERATION_OVERHEAD_MAX);
    this.byte(TAG_OPERATION);
    this.varint(length);
    this.byte(TAG_ID);
    this.varint(id);
    this.byte(TAG_KIND);
    this.byte(kind);
    if (cache !== 0) {
      this.byte(TAG_CACHE);
      this.varint(cache);
    }
    this.byte(TAG_KEY);
    this.varint(keyEnd);
    this.copy(key, 0, keyEnd);
    if (value !== undefined) {
      this.byte(TAG_VALUE);
      this.varint(value.length);
      this.copy(value, 0, value.length);
    }
    if (ttlMs !== TTL_DEFAULT) {
      this.byte(TAG_TTL);
      this.varint(ttlMs);
    }
    if (timeoutMs !== 0) {
      this.byte(TAG_TIMEOUT);
      this.varint(timeoutMs);
    }
    if (request !== 0) {
      this.byte(TAG_REQUEST);
      this.varint(request);
    }
    if (isRetry) this.#retry(lost);
    if (ack !== Acknowledgement.replicated) {
      this.byte(TAG_ACK);
      this.varint(ack);
    }
    if (extras !== undefined) this.#extras(extras);
    this.operations++;
  }

  #extras({ tags, lease, fill, read, write }: OperationExtras): void {
    if (tags) for (const tag of tags) this.string(TAG_TAGS, tag);
    if (lease) {
      this.byte(TAG_LEASE);
      this.byte(1);
    }
    if (fill) {
      this.byte(TAG_FILL);
      this.varint(fill);
    }
    if (write) {
      this.byte(TAG_WRITE);
      this.byte(write);
    }
    if (read) {
      this.varint(TAG_READ);
      this.byte(read);
    }
  }

  #retry(lost: number): void {
    this.byte(TAG_RETRY);
    this.byte(1);
    if (lost === 0) return;
    this.byte(TAG_LOST);
    this.varint(lost);
  }

  settledBelow(request: number): void {
    this.#frameNumber(TAG_SETTLED_BELOW, request);
  }

  viewVersion(version: number): void {
    this.#frameNumber(TAG_VIEW_VERSION, version);
  }

  #frameNumber(tag: number, value: number): void {
    this.reserve(FRAME_NUMBER_BYTES_MAX);
    this.byte(tag);
    this.varint(value);
  }

  open(handle: number, name: string): void {
    this.message(TAG_OPEN, (inner) => {
      inner.varint((1 << 3) | VARINT);
      inner.varint(handle);
      inner.string((2 << 3) | LENGTH_DELIMITED, name);
    });
  }

  /** `clientId` is a number of 53 bits; 0: this client sends no write again. */
  hello(protocol: number, clientName: string, defaultTimeoutMs: number, clientId = 0): void {
    this.message(TAG_HELLO, (inner) => {
      inner.varint((1 << 3) | VARINT);
      inner.varint(protocol);
      inner.string((2 << 3) | LENGTH_DELIMITED, clientName);
      inner.varint((3 << 3) | VARINT);
      inner.varint(defaultTimeoutMs);
      if (clientId === 0) return;
      inner.reserve(FRAME_NUMBER_BYTES_MAX);
      inner.varint((4 << 3) | VARINT);
      inner.varint(clientId);
    });
  }
}

function extrasBytes({ tags, lease, fill, read, write }: OperationExtras): number {
  let length = (lease ? 2 : 0) + (fill ? 1 + varintBytes(fill) : 0) + (write ? 2 : 0) + (read ? 3 : 0);
  if (!tags) return length;
  for (const tag of tags) {
    const tagBytes = Buffer.byteLength(tag);
    length += 1 + varintBytes(tagBytes) + tagBytes;
  }
  return length;
}

/** What `next` found. */
export const RequestItem = { end: 0, operation: 1, open: 2, hello: 3 } as const;

export class SessionRequestReader extends WireReader {
  // The operation found last.
  id = 0;
  kind = 0;
  cache = 0;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  hasValue = false;
  ttlMs = TTL_DEFAULT;
  timeoutMs = 0;
  /** The number of a write; 0: it is never sent again. */
  requestNumber = 0;
  /** It was sent before and may have been applied; `lost` is the lost count that the client knew then. */
  isRetry = false;
  lost = 0;
  ack: number = Acknowledgement.replicated;
  /** How many tags there are; of the first TAGS_MAX it is known where they lie. */
  tagCount = 0;
  readonly tagStarts = new Uint32Array(TAGS_MAX);
  readonly tagEnds = new Uint32Array(TAGS_MAX);
  /** GET: grant a fill lease on a miss. */
  lease = false;
  /** SET and RELEASE: the lease; 0: none. */
  fill = 0;
  /** A ReadMode; what this version does not know is for the one who uses it to refuse. */
  read: number = ReadMode.byPolicy;
  /** SET and DELETE: a WriteMode; the same holds. */
  write: number = WriteMode.byPolicy;
  // The last `open` (with `cache` as its handle) or `hello` (with `timeoutMs`).
  name = '';
  protocol = 0;
  clientId = 0;
  // Of this frame as far as it was read; 0 if it does not say. A generated codec writes both after the operations.
  settledBelow = 0;
  viewVersion = 0;

  override reset(bytes: Buffer, start = 0, end = bytes.length): void {
    super.reset(bytes, start, end);
    this.settledBelow = 0;
    this.viewVersion = 0;
  }

  /** Steps to the next item of the frame. Throws BAD_ARGUMENT for bytes that are no SessionRequest. */
  next(): number {
    while (this.at < this.end) {
      const tag = this.varint();
      if (tag === TAG_OPERATION) {
        this.#readOperation();
        return RequestItem.operation;
      }
      if (tag === TAG_OPEN) {
        this.#readOpen();
        return RequestItem.open;
      }
      if (tag === TAG_HELLO) {
        this.#readHello();
        return RequestItem.hello;
      }
      if (tag === TAG_SETTLED_BELOW) this.settledBelow = this.varint();
      else if (tag === TAG_VIEW_VERSION) this.viewVersion = this.varint();
      else this.skip(tag & 7);
    }
    return RequestItem.end;
  }

  #readOperation(): void {
    const end = this.#enter();
    this.id = 0;
    this.kind = 0;
    this.cache = 0;
    this.keyStart = 0;
    this.keyEnd = 0;
    this.valueStart = 0;
    this.valueEnd = 0;
    this.hasValue = false;
    this.ttlMs = TTL_DEFAULT;
    this.timeoutMs = 0;
    this.requestNumber = 0;
    this.isRetry = false;
    this.lost = 0;
    this.ack = Acknowledgement.replicated;
    this.tagCount = 0;
    this.lease = false;
    this.fill = 0;
    this.read = ReadMode.byPolicy;
    this.write = WriteMode.byPolicy;
    while (this.at < end) {
      const tag = this.varint();
      switch (tag) {
        case TAG_ID:
          this.id = this.uint32();
          break;
        case TAG_KIND:
          this.kind = this.varint();
          break;
        case TAG_CACHE:
          this.cache = this.uint32();
          break;
        case TAG_KEY: {
          const length = this.length();
          this.keyStart = this.at;
          this.keyEnd = this.at += length;
          break;
        }
        case TAG_VALUE: {
          const length = this.length();
          this.valueStart = this.at;
          this.valueEnd = this.at += length;
          this.hasValue = true;
          break;
        }
        case TAG_TTL:
          this.ttlMs = this.varint();
          break;
        case TAG_TIMEOUT:
          this.timeoutMs = this.uint32();
          break;
        case TAG_REQUEST:
          this.requestNumber = this.varint();
          break;
        case TAG_RETRY:
          this.isRetry = this.varint() !== 0;
          break;
        case TAG_LOST:
          this.lost = this.uint32();
          break;
        case TAG_ACK:
          this.ack = this.varint() || Acknowledgement.replicated;
          break;
        case TAG_TAGS:
          this.#readTag();
          break;
        case TAG_LEASE:
          this.lease = this.varint() !== 0;
          break;
        case TAG_FILL:
          this.fill = this.varint();
          break;
        case TAG_WRITE:
          this.write = this.varint();
          break;
        case TAG_READ:
          this.read = this.varint();
          break;
        default:
          this.skip(tag & 7);
      }
    }
    this.#leave(end);
  }

  #readTag(): void {
    const length = this.length();
    if (this.tagCount < TAGS_MAX) {
      this.tagStarts[this.tagCount] = this.at;
      this.tagEnds[this.tagCount] = this.at + length;
    }
    this.at += length;
    this.tagCount++;
  }

  #readOpen(): void {
    const end = this.#enter();
    this.cache = 0;
    this.name = '';
    while (this.at < end) {
      const tag = this.varint();
      if (tag === ((1 << 3) | VARINT)) this.cache = this.uint32();
      else if (tag === ((2 << 3) | LENGTH_DELIMITED)) this.name = this.string();
      else this.skip(tag & 7);
    }
    this.#leave(end);
  }

  #readHello(): void {
    const end = this.#enter();
    this.protocol = 0;
    this.name = '';
    this.timeoutMs = 0;
    this.clientId = 0;
    while (this.at < end) {
      const tag = this.varint();
      if (tag === ((1 << 3) | VARINT)) this.protocol = this.uint32();
      else if (tag === ((2 << 3) | LENGTH_DELIMITED)) this.name = this.string();
      else if (tag === ((3 << 3) | VARINT)) this.timeoutMs = this.uint32();
      else if (tag === ((4 << 3) | VARINT)) this.clientId = this.varint();
      else this.skip(tag & 7);
    }
    this.#leave(end);
  }

  /** Where the message that starts here ends. */
  #enter(): number {
    const length = this.length();
    return this.at + length;
  }

  #leave(end: number): void {
    if (this.at !== end) throw malformed('a field that reaches beyond its message', this.at);
  }
}
