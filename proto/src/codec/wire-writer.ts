/** The size in bytes of a varint. Values up to 2^53. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  if (value < 0x800000000) return 5;
  if (value < 0x40000000000) return 6;
  if (value < 0x2000000000000) return 7;
  return 8;
}

/** Copying byte by byte wins below this length, the native copy above (storage study, section 5). */
const BYTE_LOOP_MAX = 40;

/** Writes protobuf into one buffer that grows by doubling. Callers `reserve` first, then write unchecked. */
export class WireWriter {
  bytes: Buffer;
  at = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + count));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }

  byte(value: number): void {
    this.bytes[this.at++] = value;
  }

  varint(value: number): void {
    const bytes = this.bytes;
    let at = this.at;
    while (value > 0x7fffffff) {
      bytes[at++] = (value % 128) | 0x80;
      value = Math.floor(value / 128);
    }
    while (value > 0x7f) {
      bytes[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    bytes[at++] = value;
    this.at = at;
  }

  copy(source: Uint8Array, start: number, end: number): void {
    const bytes = this.bytes;
    const length = end - start;
    let at = this.at;
    if (length <= BYTE_LOOP_MAX) {
      for (let from = start; from < end; from++) bytes[at++] = source[from]!;
    } else {
      bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), at);
    }
    this.at += length;
  }

  /** A field of text; for rare messages. */
  string(tag: number, text: string): void {
    const length = Buffer.byteLength(text);
    this.reserve(length + 12);
    this.varint(tag);
    this.varint(length);
    this.at += this.bytes.write(text, this.at, length, 'utf8');
  }

  /** A field that holds a message written by `write`; for rare messages, since it goes through a second buffer. */
  message(tag: number, write: (inner: WireWriter) => void): void {
    const inner = new WireWriter(256);
    write(inner);
    this.reserve(inner.at + 12);
    this.varint(tag);
    this.varint(inner.at);
    this.copy(inner.bytes, 0, inner.at);
  }

  /** What was written so far, as its own buffer; the writer starts anew. */
  take(): Buffer {
    const frame = Buffer.from(this.bytes.subarray(0, this.at));
    this.at = 0;
    return frame;
  }
}
