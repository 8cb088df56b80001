import { Buffer } from 'node:buffer';
import { type KeySlice, partitionOf } from '@larder/proto';

/** Key bytes that may be kept: they travel, and answer for a record long after their frame has gone. */
export function keyCopy({ bytes, start, end }: KeySlice): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}

/** A whole buffer as a key of a known partition. */
export function wholeKey(bytes: Uint8Array, partition = partitionOf(bytes, 0, bytes.length)): KeySlice {
  return { bytes, start: 0, end: bytes.length, partition };
}
