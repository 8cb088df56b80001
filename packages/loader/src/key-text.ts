import { isUtf8 } from 'node:buffer';
import type { KeySlice } from '@larder/proto';

/** The key as origins know it. Undefined if it is not UTF-8: then it would share its text with another key. */
export function keyText(key: KeySlice): string | undefined {
  const view = viewOf(key);
  return isUtf8(view) ? view.toString('utf8') : undefined;
}

/** A key that may be kept. */
export function keyCopy(key: KeySlice): KeySlice {
  const bytes = Buffer.from(viewOf(key));
  return { bytes, start: 0, end: bytes.length, partition: key.partition };
}

/** A value that may be kept. */
export function valueCopy(value: Uint8Array, start: number, end: number): Uint8Array {
  return Buffer.from(Buffer.from(value.buffer, value.byteOffset + start, end - start));
}

function viewOf({ bytes, start, end }: KeySlice): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}
