import { EntryFlag } from '@larder/loader';
import type { Caches } from '../caches.js';
import type { Storage } from '../storage/storage.js';
import { wholeKey } from './key-copy.js';

/** Entries that one step looks at. */
const ENTRIES_PER_STEP = 256;

/**
 * After a partition was taken over: looks for what its owner before had acknowledged and not yet brought to the origin,
 * and hands it to the loaders. In steps, because hundreds of partitions may come at once.
 */
export class DirtyAdoption {
  /** Partition to where its scan stands. */
  readonly #scans = new Map<number, number>();

  constructor(
    readonly storage: Storage,
    readonly caches: Caches,
  ) {}

  begin(partition: number): void {
    this.#scans.set(partition, 0);
  }

  /** The partition has gone again. */
  cancel(partition: number): void {
    this.#scans.delete(partition);
  }

  /** One step. Returns whether there is more to do. */
  step(): boolean {
    for (const [partition, cursor] of this.#scans) {
      const dirty: { cache: number; key: Buffer }[] = [];
      const next = this.storage.scanPartition(partition, cursor, ENTRIES_PER_STEP, (ref) => {
        if ((this.storage.flags(ref) & EntryFlag.dirty) === 0) return;
        const key = Buffer.allocUnsafe(this.storage.keyBytes(ref));
        this.storage.copyKey(ref, key, 0);
        dirty.push({ cache: this.storage.cacheOf(ref), key });
      });
      for (const { cache, key } of dirty) this.#adopt(cache, key, partition);
      if (next === 0) this.#scans.delete(partition);
      else this.#scans.set(partition, next);
      break;
    }
    return this.#scans.size > 0;
  }

  #adopt(cacheId: number, bytes: Buffer, partition: number): void {
    const cache = this.caches.all[cacheId];
    const key = wholeKey(bytes, partition);
    const ref = this.storage.peek(cacheId, key);
    if (cache !== undefined && ref !== 0) cache.loader.adopt(key, ref);
  }
}
