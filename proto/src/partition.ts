import { xxh32 } from './xxh32.js';

/**
 * A key where it lies: a range of a frame or of any other buffer, and the partition it belongs to. Hot paths reuse one
 * object for all their keys, so who keeps a key beyond the current call copies it.
 */
export interface KeySlice {
  bytes: Uint8Array;
  start: number;
  end: number;
  partition: number;
}

const OPEN = 0x7b;
const CLOSE = 0x7d;
/** 1,024 partitions: the upper ten bits of the hash. */
const PARTITION_SHIFT = 22;

/**
 * The partition of a key. If the key has a `{tag}`, only what stands between the first `{` and the first `}` after it
 * is hashed, unless that is empty: Redis Cluster's rule, so that related keys can be kept on one node.
 */
export function partitionOf(bytes: Uint8Array, start: number, end: number): number {
  let open = start;
  while (open < end && bytes[open] !== OPEN) open++;
  if (open < end) {
    let close = open + 1;
    while (close < end && bytes[close] !== CLOSE) close++;
    if (close < end && close > open + 1) return xxh32(bytes, open + 1, close) >>> PARTITION_SHIFT;
  }
  return xxh32(bytes, start, end) >>> PARTITION_SHIFT;
}

/** A key of its own, for callers off the hot path. */
export function keySlice(bytes: Uint8Array): KeySlice {
  return { bytes, start: 0, end: bytes.length, partition: partitionOf(bytes, 0, bytes.length) };
}
