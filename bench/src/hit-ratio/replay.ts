import { systemClock, systemRandom } from '@larder/base';
import { PutResult } from '@larder/loader';
import { createStorage, type EvictionPolicyName, type Storage } from '@larder/node/internal';
import { type KeySlice, partitionOf } from '@larder/proto';
import { UsageError } from '../options.js';
import type { Trace } from './trace.js';

/**
 * Replays a trace through the real storage engine: look the key up, and where it is missing put it in.
 *
 * Without sizes, a cache of `size` entries: all keys have eight bytes and all values the same length, and the bound is
 * what `size` of them are charged and the policy takes. The length is large for small caches, because the adaptive policy
 * spends at most a sixteenth of the bound on its simulations, and a cache of a hundred entries of a hundred bytes would
 * be ruled by a simulation of next to nothing. With sizes, `size` is the bound in bytes, and all that the engine adds to
 * keys and values counts.
 */
const CACHE = 0;
const NODE_BYTES_MIN = 8 * 1024 * 1024;
/** What one storage can have at all. */
const NODE_BYTES_MAX = 2 ** 33;
/** Of that, what one cache can have: a twentieth of the node stays free, and the index has its part. */
const CACHE_BYTES_MAX = Math.floor(NODE_BYTES_MAX * 0.93);
/** What the ghosts of the adaptive policy may be over when they are rounded up, and less than the smallest charge. */
const ROUNDING_BYTES = 64;
const SIZED_VALUE_BYTES_MAX = 64 * 1024 * 1024;

export function replay(trace: Trace, size: number, policy: EvictionPolicyName): number {
  return trace.sizes === undefined ? replayCounted(trace, size, policy) : replaySized(trace, trace.sizes, size, policy);
}

function replayCounted(trace: Trace, size: number, policy: EvictionPolicyName): number {
  const value = Buffer.alloc(valueBytesFor(size));
  const storage = open(boundFor(size, policy, value), policy);
  const key = numberedKey();
  let hits = 0;
  for (const number of trace.requests) {
    setNumber(key, number);
    if (storage.find(CACHE, key) !== 0) hits++;
    else put(storage, key, value, value.length);
  }
  return hits;
}

function replaySized(trace: Trace, sizes: Uint32Array, bytesMax: number, policy: EvictionPolicyName): number {
  const storage = open(bytesMax, policy);
  const keys = trace.keys.map((key) => Buffer.from(key));
  const partitions = keys.map((key) => partitionOf(key, 0, key.length));
  const valueBytesMost = sizes.reduce((most, bytes) => Math.max(most, bytes), 0);
  // Larger ones are refused before they are read.
  const value = Buffer.alloc(Math.min(valueBytesMost, SIZED_VALUE_BYTES_MAX));
  const key: KeySlice = { bytes: value, start: 0, end: 0, partition: 0 };
  let hits = 0;
  trace.requests.forEach((number, index) => {
    key.bytes = keys[number]!;
    key.end = key.bytes.length;
    key.partition = partitions[number]!;
    if (storage.find(CACHE, key) !== 0) hits++;
    else put(storage, key, value, sizes[index]!);
  });
  return hits;
}

/** A value that is larger than the cache is not an error here: it is a miss each time. */
function put(storage: Storage, key: KeySlice, value: Buffer, bytes: number): void {
  const result = storage.put(CACHE, key, value, 0, bytes, 1, 1, 0, 0);
  if (result === PutResult.full) throw new Error('the storage is full although nothing in it is pinned');
}

function open(bytesMax: number, eviction: EvictionPolicyName): Storage {
  if (bytesMax > CACHE_BYTES_MAX) {
    throw new UsageError(`--sizes asks for a cache of ${bytesMax} bytes; one storage has at most ${CACHE_BYTES_MAX}`);
  }
  const memoryBytesMax = Math.min(NODE_BYTES_MAX, Math.ceil(bytesMax * 1.25) + NODE_BYTES_MIN);
  const caches = [{ cache: CACHE, memoryBytesMax: bytesMax, eviction }];
  return createStorage({ memoryBytesMax, valueBytesMax: SIZED_VALUE_BYTES_MAX, caches }, systemClock, systemRandom);
}

/** The bound at which exactly `size` entries fit. What the policy takes may depend on the bound, so it is found by steps. */
function boundFor(size: number, policy: EvictionPolicyName, value: Buffer): number {
  const entryBytes = chargeOf(policy, value);
  let bound = size * entryBytes;
  for (let step = 0; step < 20; step++) {
    bound = size * entryBytes + open(bound, policy).statistics(CACHE).bytes + ROUNDING_BYTES;
  }
  return bound;
}

function chargeOf(policy: EvictionPolicyName, value: Buffer): number {
  const storage = open(NODE_BYTES_MIN, policy);
  const before = storage.statistics(CACHE).bytes;
  put(storage, numberedKey(), value, value.length);
  return storage.statistics(CACHE).bytes - before;
}

function valueBytesFor(size: number): number {
  if (size <= 2048) return 4096;
  return size <= 20_000 ? 256 : 32;
}

function numberedKey(): KeySlice {
  const bytes = Buffer.alloc(8);
  return { bytes, start: 0, end: bytes.length, partition: 0 };
}

function setNumber(key: KeySlice, number: number): void {
  key.bytes[0] = number;
  key.bytes[1] = number >>> 8;
  key.bytes[2] = number >>> 16;
  key.bytes[3] = number >>> 24;
  key.partition = partitionOf(key.bytes, 0, key.end);
}
