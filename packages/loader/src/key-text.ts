import { isUtf8 } from 'node:buffer';
import { KEY_BYTES_MAX, type KeySlice } from '@larder/proto';

/**
 * Keys that outlive their call are kept as text: it is what origins and maps want, and a string is a third of what a
 * buffer with its slice would cost. When the memory is to be asked the bytes are written into one shared slice.
 *
 * The text of a key; undefined if it is not UTF-8, because then it would share its text with another key.
 */
export function keyText({ bytes, start, end }: KeySlice): string | undefined {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString('utf8', start, end);
  // What is not UTF-8 is decoded as this character; a key may also have it.
  return text.includes('\ufffd') && !isUtf8(buffer.subarray(start, end)) ? undefined : text;
}

const shared: KeySlice = { bytes: Buffer.alloc(KEY_BYTES_MAX), start: 0, end: 0, partition: 0 };

/** The key of that text. Valid until the next call of this function. */
export function sharedKey(text: string, partition: number): KeySlice {
  shared.end = (shared.bytes as Buffer).write(text);
  shared.partition = partition;
  return shared;
}

/** A value that may be kept. */
export function valueCopy(value: Uint8Array, start: number, end: number): Uint8Array {
  const copy = Buffer.allocUnsafe(end - start);
  copy.set(value.subarray(start, end));
  return copy;
}
