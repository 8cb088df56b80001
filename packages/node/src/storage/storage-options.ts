import { CACHE_COUNT_MAX, LarderError, VALUE_BYTES_MAX_CEILING } from '@larder/proto';
import { ARENA_BYTES_MAX } from './arena.js';
import type { StorageOptions } from './storage.js';

/** Below this the fixed parts of the index and the headroom would leave nothing for entries. */
const MEMORY_BYTES_MIN = 1024 * 1024;

/** Throws CONFIG if an option is out of its range. */
export function checkedStorageOptions(options: StorageOptions): StorageOptions {
  between('memoryBytesMax', options.memoryBytesMax, MEMORY_BYTES_MIN, ARENA_BYTES_MAX);
  between('valueBytesMax', options.valueBytesMax, 1, VALUE_BYTES_MAX_CEILING);
  const seen = new Set<number>();
  options.caches.forEach(({ cache, memoryBytesMax }, position) => {
    between(`caches[${position}].cache`, cache, 0, CACHE_COUNT_MAX - 1);
    between(`caches[${position}].memoryBytesMax`, memoryBytesMax, 1, Number.MAX_SAFE_INTEGER);
    if (seen.has(cache)) throw new LarderError('CONFIG', `caches[${position}].cache ${cache} is there twice`);
    seen.add(cache);
  });
  return options;
}

function between(name: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new LarderError('CONFIG', `${name} is ${value}; allowed is a whole number from ${least} to ${most}`);
}
