import type { Clock, Timer } from '@larder/base';
import type { ChangeSink } from '@larder/loader';
import { KEY_BYTES_MAX, type LarderError, PARTITION_COUNT, partitionOf } from '@larder/proto';
import type { NodeCache } from './caches.js';
import type { Log } from './log.js';

/**
 * What other programs write to the tables behind the caches, brought to their loaders: each key that this node owns is
 * forgotten, so that its next reader asks the database. What cannot be forgotten yet, because a write of it is under way
 * or the partition is about to be served, is tried again until it can.
 *
 * All nodes are told of all keys; who does not own one passes it over, and looks at what was changed lately when it takes
 * partitions over (ChangeListener.replay).
 */

/** Keys between which the event loop has its turn: less than a millisecond. */
const SLICE_KEYS = 500;
const AGAIN_MS = 200;
/** Keys that are tried again at a time. */
const AGAIN_KEYS = 2_000;
/** Of one cache. Beyond it all of the key's partition is forgotten instead. */
const AGAIN_MAX = 100_000;

export class ExternalWrites implements ChangeSink {
  readonly #caches: ReadonlyMap<string, readonly WatchedCache[]>;
  readonly #timer: Timer;

  /** `caches`: those of one database, each with the name of its table in the log. */
  constructor(
    caches: readonly { readonly source: string; readonly cache: NodeCache }[],
    readonly database: string,
    clock: Clock,
    readonly log: Log,
  ) {
    const sources = [...new Set(caches.map(({ source }) => source))];
    this.#caches = new Map(
      sources.map((source) => [
        source,
        caches.filter((one) => one.source === source).map(({ cache }) => new WatchedCache(cache)),
      ]),
    );
    this.#timer = clock.every(AGAIN_MS, () => this.#tryAgain());
  }

  async changed(source: string, keys: readonly string[]): Promise<void> {
    const caches = this.#caches.get(source) ?? [];
    for (let from = 0; caches.length > 0 && from < keys.length; from += SLICE_KEYS) {
      for (const key of keys.slice(from, from + SLICE_KEYS)) for (const cache of caches) cache.forget(key);
      await new Promise(setImmediate);
    }
  }

  allChanged(source: string | undefined): void {
    for (const [name, caches] of this.#caches) {
      if (source === undefined || name === source) for (const cache of caches) cache.forgetAll();
    }
  }

  lost(error: LarderError): void {
    this.log.warn({ event: 'changes-lost', database: this.database, error: error.message });
  }

  back(gapMs: number, isTooLong: boolean): void {
    const effect = isTooLong ? 'the log does not reach back so far: all entries are forgotten' : 'nothing was missed';
    this.log.info({ event: 'changes-back', database: this.database, gapMs: Math.round(gapMs), effect });
  }

  close(): void {
    this.#timer.cancel();
  }

  #tryAgain(): void {
    for (const caches of this.#caches.values()) for (const cache of caches) cache.tryAgain();
  }
}

/** One cache, and what of it has still to be forgotten. */
class WatchedCache {
  readonly #keys = new Set<string>();
  readonly #partitions = new Set<number>();

  constructor(readonly cache: NodeCache) {}

  forget(key: string): void {
    if (this.#isForgotten(key)) return;
    if (this.#keys.size < AGAIN_MAX) this.#keys.add(key);
    else this.#partitions.add(partitionOfText(key));
  }

  forgetAll(): void {
    this.#keys.clear();
    this.#forgetPartitions(Array.from({ length: PARTITION_COUNT }, (_, partition) => partition));
  }

  tryAgain(): void {
    if (this.#partitions.size > 0) this.#forgetPartitions([...this.#partitions]);
    let left = Math.min(this.#keys.size, AGAIN_KEYS);
    for (const key of this.#keys) {
      if (left-- === 0) return;
      this.#keys.delete(key);
      // To the end, so that others have their turn.
      if (!this.#isForgotten(key)) this.#keys.add(key);
    }
  }

  #isForgotten(key: string): boolean {
    const bytes = Buffer.byteLength(key);
    return bytes === 0 || bytes > KEY_BYTES_MAX || this.cache.loader.forget(key, partitionOfText(key));
  }

  /** What is not yet in the database stays, and is newer than what the change has left when it gets there. */
  #forgetPartitions(partitions: readonly number[]): void {
    const { loader, memory } = this.cache;
    this.#partitions.clear();
    loader.beginInvalidation(undefined);
    for (const partition of partitions) {
      if (memory.serves(partition)) loader.invalidate(partition, undefined);
      else if (memory.owns(partition)) this.#partitions.add(partition);
    }
  }
}

function partitionOfText(key: string): number {
  const bytes = Buffer.from(key);
  return partitionOf(bytes, 0, bytes.length);
}
