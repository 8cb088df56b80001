import { LarderError } from '../errors.js';

/** Protobuf wire types; 3 and 4 (groups) are long dead and refused. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
export const FIXED32 = 5;

/** Bytes that are not what the .proto says. The sender must not send them again; nothing of them was applied. */
export function malformed(what: string, at: number): LarderError {
  return new LarderError('BAD_ARGUMENT', `malformed frame: ${what} at byte ${at}`, { outcome: 'not-applied' });
}

/**
 * Reads protobuf in place: no objects, no copies. Every read is checked against the end of the buffer, so that any
 * bytes at all end in a value or in BAD_ARGUMENT.
 */
export class WireReader {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;

  reset(bytes: Buffer, start = 0, end = bytes.length): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** An unsigned varint. Values above 2^53 lose their low bits; callers check their own bounds. */
  varint(): number {
    const bytes = this.bytes;
    const end = this.end;
    let at = this.at;
    if (at >= end) throw malformed('the frame ends inside a number', at);
    let byte = bytes[at++]!;
    let value = byte & 0x7f;
    if (byte > 0x7f) {
      let scale = 128;
      do {
        if (at >= end) throw malformed('the frame ends inside a number', at);
        if (at - this.at >= 10) throw malformed('a number of more than 10 bytes', at);
        byte = bytes[at++]!;
        value += (byte & 0x7f) * scale;
        scale *= 128;
      } while (byte > 0x7f);
    }
    this.at = at;
    return value;
  }

  /** A varint that must fit 32 bits. */
  uint32(): number {
    const value = this.varint();
    if (value > 0xffffffff) throw malformed('a number above 2^32 - 1', this.at);
    return value;
  }

  /** Reads a length and checks that so many bytes follow. */
  length(): number {
    const length = this.varint();
    if (length > this.end - this.at)
      throw malformed(`a field of ${length} bytes with ${this.end - this.at} left`, this.at);
    return length;
  }

  string(): string {
    const length = this.length();
    const start = this.at;
    this.at = start + length;
    return this.bytes.toString('utf8', start, start + length);
  }

  /** Passes over a field that this version does not know. */
  skip(wireType: number): void {
    switch (wireType) {
      case VARINT:
        this.varint();
        return;
      case FIXED64:
        this.#advance(8);
        return;
      case LENGTH_DELIMITED:
        this.#advance(this.varint());
        return;
      case FIXED32:
        this.#advance(4);
        return;
      default:
        throw malformed(`wire type ${wireType}`, this.at);
    }
  }

  #advance(count: number): void {
    if (count > this.end - this.at) throw malformed('the frame ends inside a field', this.at);
    this.at += count;
  }
}
