import { LarderError, xxh32 } from '@larder/proto';

/**
 * Reading and writing of the small packed documents that outlive a process: views and acceptor files. Both end with the
 * XXH32 of what comes before it, so that a file cut in half or random bytes are recognized before a field is believed.
 */

const CHECKSUM_BYTES = 4;

export class PackedWriter {
  #bytes = Buffer.allocUnsafe(1024);
  #at = 0;

  uint8(value: number): void {
    this.#reserve(1);
    this.#at = this.#bytes.writeUInt8(value, this.#at);
  }

  uint16(value: number): void {
    this.#reserve(2);
    this.#at = this.#bytes.writeUInt16LE(value, this.#at);
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  /** Up to 2^53. */
  uint53(value: number): void {
    this.uint32(value % 2 ** 32);
    this.uint32(Math.floor(value / 2 ** 32));
  }

  /** An even count of hexadecimal digits. */
  hex(digits: string): void {
    this.bytes(Buffer.from(digits, 'hex'));
  }

  text(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    this.uint16(bytes.length);
    this.bytes(bytes);
  }

  blob(bytes: Uint8Array): void {
    this.uint32(bytes.length);
    this.bytes(bytes);
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** All that was written, with its checksum. */
  finish(): Buffer {
    this.uint32(xxh32(this.#bytes, 0, this.#at));
    return this.#bytes.subarray(0, this.#at);
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + count));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

export class PackedReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at = 0;

  /** `what` names the document in errors. Throws BAD_ARGUMENT if the checksum is wrong. */
  constructor(
    bytes: Uint8Array,
    readonly what: string,
  ) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length - CHECKSUM_BYTES;
    if (this.#end < 0) throw this.fault(`only ${bytes.length} bytes`);
    const checksum = this.#bytes.readUInt32LE(this.#end);
    if (checksum !== xxh32(bytes, 0, this.#end)) throw this.fault('its checksum does not match, it is damaged');
  }

  uint8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  uint53(): number {
    const low = this.uint32();
    const high = this.uint32();
    if (high >= 2 ** 21) throw this.fault(`a number above 2^53 at byte ${this.#at - 8}`);
    return high * 2 ** 32 + low;
  }

  hex(byteCount: number): string {
    const at = this.#take(byteCount);
    return this.#bytes.toString('hex', at, at + byteCount);
  }

  text(bytesMax: number): string {
    const length = this.uint16();
    if (length > bytesMax) throw this.fault(`a text of ${length} bytes at byte ${this.#at}; allowed are ${bytesMax}`);
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  blob(bytesMax: number): Uint8Array {
    const length = this.uint32();
    if (length > bytesMax) throw this.fault(`a block of ${length} bytes at byte ${this.#at}; allowed are ${bytesMax}`);
    const at = this.#take(length);
    return Uint8Array.prototype.slice.call(this.#bytes, at, at + length);
  }

  /** Throws unless everything was read. */
  finish(): void {
    if (this.#at !== this.#end) throw this.fault(`${this.#end - this.#at} bytes too many`);
  }

  fault(reason: string): LarderError {
    return new LarderError('BAD_ARGUMENT', `${this.what} cannot be read: ${reason}`);
  }

  #take(count: number): number {
    if (this.#at + count > this.#end) throw this.fault(`it ends at byte ${this.#end}, inside a field`);
    const at = this.#at;
    this.#at += count;
    return at;
  }
}
