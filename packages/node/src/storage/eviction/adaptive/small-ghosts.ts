import { GhostTable, PLACES_PER_BUCKET } from './ghost-table.js';

/** A ghost table of a fixed size, for small caches and for simulations. */
export class SmallGhosts extends GhostTable {
  readonly places: number;
  readonly #buckets: number;

  constructor(placesMin: number) {
    const buckets = Math.max(1, Math.ceil(placesMin / PLACES_PER_BUCKET));
    super(new Uint32Array(buckets * PLACES_PER_BUCKET));
    this.#buckets = buckets;
    this.places = buckets * PLACES_PER_BUCKET;
  }

  protected bucketOf(hash: number): number {
    return Math.floor((hash * this.#buckets) / 2 ** 32) * PLACES_PER_BUCKET;
  }
}
