import type { Clock, Random } from '@larder/base';
import type { OnRemoval } from './residents.js';
import type { Storage, StorageOptions } from './storage.js';
import { StorageEngine } from './storage-engine.js';
import { checkedStorageOptions } from './storage-options.js';

/**
 * Creates the in-memory engine of a node. `onRemoval` is called just before an entry of an owned partition leaves by
 * eviction or expiry, with the entry still readable by its ref; it must not call a method of the storage that takes a
 * key or changes something. While a put runs it may be called for the key of that put, for the entry that was there before.
 * `random` keys the hash of the index, so it should be unpredictable. Throws CONFIG if an option is out of its range.
 */
export function createStorage(options: StorageOptions, clock: Clock, random: Random, onRemoval?: OnRemoval): Storage {
  return new StorageEngine(checkedStorageOptions(options), clock, random, onRemoval ?? (() => {}));
}
