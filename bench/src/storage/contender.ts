import { systemClock, systemRandom } from '@larder/base';
import { PutResult } from '@larder/loader';
import { createStorage, type EvictionPolicyName } from '@larder/node/internal';
import { partitionOf } from '@larder/proto';
import { LRUCache } from 'lru-cache';
import { type Frames, KEY_BYTES, VALUE_BYTES } from './frames.js';

/**
 * What is compared: a cache inside a server process. Each works on the frames: the key is bytes in the request, the value
 * is copied from the request and into the reply. A Map needs the key as a string, as it would in a server.
 */
export interface Contender {
  /** Whether it was there. */
  get(): boolean;
  set(): void;
  delete(): boolean;
}

export const CONTENDER_NAMES = ['larder', 'lruCache', 'map'] as const;
export type ContenderName = (typeof CONTENDER_NAMES)[number];

/** Larder with room for twice as many entries, so that nothing is evicted. */
export function createContender(
  name: ContenderName,
  frames: Frames,
  entries: number,
  policy: EvictionPolicyName,
): Contender {
  if (name === 'larder') return larder(frames, entries, policy);
  return name === 'map' ? map(frames, new Map()) : map(frames, new LRUCache<string, Entry>({ max: entries }));
}

const BYTES_PER_ENTRY_MAX = 256;
const MEMORY_BYTES_MIN = 64 * 1024 * 1024;

function larder({ key, value, reply }: Frames, entries: number, eviction: EvictionPolicyName): Contender {
  const memoryBytesMax = Math.max(MEMORY_BYTES_MIN, entries * BYTES_PER_ENTRY_MAX);
  const caches = [{ cache: 0, memoryBytesMax, eviction }];
  const options = { memoryBytesMax, valueBytesMax: 8 * 1024 * 1024, caches };
  const storage = createStorage(options, systemClock, systemRandom);
  const slice = { bytes: key, start: 0, end: KEY_BYTES, partition: 0 };
  let seq = 0;
  return {
    get() {
      slice.partition = partitionOf(key, 0, KEY_BYTES);
      const ref = storage.find(0, slice);
      if (ref === 0) return false;
      storage.copyValue(ref, 0, storage.valueBytes(ref), reply, 0);
      return true;
    },
    set() {
      slice.partition = partitionOf(key, 0, KEY_BYTES);
      const result = storage.put(0, slice, value, 0, VALUE_BYTES, 1, ++seq, 0, 0);
      if (result !== PutResult.stored) throw new Error(`put: ${result}`);
    },
    delete() {
      slice.partition = partitionOf(key, 0, KEY_BYTES);
      return storage.remove(0, slice);
    },
  };
}

/** As lean as an entry with version and expiry can be on the heap. */
interface Entry {
  readonly value: Buffer;
  readonly expiresAtMs: number;
  readonly seq: number;
}

interface MapLike {
  get(key: string): Entry | undefined;
  set(key: string, entry: Entry): unknown;
  delete(key: string): boolean;
}

/** What toString('latin1') calls; the types leave it out. */
interface Latin1 {
  latin1Slice(start: number, end: number): string;
}

function map(frames: Frames, entries: MapLike): Contender {
  const { value, reply } = frames;
  const key = frames.key as Buffer & Latin1;
  let seq = 0;
  return {
    get() {
      const entry = entries.get(key.latin1Slice(0, KEY_BYTES));
      if (entry === undefined || (entry.expiresAtMs !== 0 && entry.expiresAtMs < performance.now())) return false;
      entry.value.copy(reply, 0);
      return true;
    },
    set() {
      entries.set(key.latin1Slice(0, KEY_BYTES), { value: Buffer.from(value), expiresAtMs: 0, seq: ++seq });
    },
    delete() {
      return entries.delete(key.latin1Slice(0, KEY_BYTES));
    },
  };
}
