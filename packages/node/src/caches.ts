import type { EntryMemory, Loader } from '@larder/loader';
import { CACHE_NAME_LENGTH_MAX, LarderError } from '@larder/proto';

/** One declared cache on this node. */
export interface NodeCache {
  readonly id: number;
  readonly name: string;
  readonly loader: Loader;
  readonly memory: EntryMemory;
}

/** The caches that the config declares, by name. */
export class Caches {
  readonly #byName: ReadonlyMap<string, NodeCache>;

  constructor(readonly all: readonly NodeCache[]) {
    this.#byName = new Map(all.map((cache) => [cache.name, cache]));
  }

  /** Throws UNKNOWN_CACHE. */
  named(name: string): NodeCache {
    const cache = this.#byName.get(name);
    if (cache) return cache;
    const known = [...this.#byName.keys()].slice(0, 20).join(', ') || 'none';
    const given = JSON.stringify(name.slice(0, CACHE_NAME_LENGTH_MAX));
    throw new LarderError('UNKNOWN_CACHE', `no cache is named ${given}; declared are: ${known}`, {
      outcome: 'not-applied',
    });
  }
}
