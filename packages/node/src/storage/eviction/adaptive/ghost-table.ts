/**
 * Remembers keys that were evicted, four bytes each, with what was known about them.
 *
 *   fingerprint 10 | count 4 | epoch 4 | stamp 14          (0: empty; a count is never 0)
 *
 * A key's bucket has four places; the newcomer takes an empty one or that of the key that was not asked for the longest.
 * One in 256 looks for a key that is not there finds another's place: the damage is one wrong admission.
 */
const PLACES = 4;
const FINGERPRINT_SHIFT = 22;
const STAMP_MASK = 0x3fff;
const STAMP_SHIFT_COUNT = 18;
const STAMP_SHIFT_EPOCH = 14;

export class GhostTable {
  readonly #places: Uint32Array;
  readonly #buckets: number;
  /** What `take` found. */
  count = 0;
  epoch = 0;
  stamp = 0;

  constructor(placesMin: number) {
    this.#buckets = Math.max(1, Math.ceil(placesMin / PLACES));
    this.#places = new Uint32Array(this.#buckets * PLACES);
  }

  get bytes(): number {
    return this.#places.byteLength;
  }

  get places(): number {
    return this.#places.length;
  }

  add(hash: number, count: number, epoch: number, stamp: number): void {
    const places = this.#places;
    const first = this.#bucket(hash);
    let target = first;
    let age = -1;
    for (let place = first; place < first + PLACES; place++) {
      const word = places[place]!;
      if (word === 0) {
        target = place;
        break;
      }
      const other = (stamp - word) & STAMP_MASK;
      if (other > age) {
        age = other;
        target = place;
      }
    }
    places[target] =
      (hash << FINGERPRINT_SHIFT) | (count << STAMP_SHIFT_COUNT) | (epoch << STAMP_SHIFT_EPOCH) | (stamp & STAMP_MASK);
  }

  /** Removes a key and says what was known about it in `count`, `epoch` and `stamp`. */
  take(hash: number): boolean {
    const places = this.#places;
    const first = this.#bucket(hash);
    const fingerprint = hash & 0x3ff;
    for (let place = first; place < first + PLACES; place++) {
      const word = places[place]!;
      if (word === 0 || word >>> FINGERPRINT_SHIFT !== fingerprint) continue;
      this.count = (word >>> STAMP_SHIFT_COUNT) & 15;
      this.epoch = (word >>> STAMP_SHIFT_EPOCH) & 15;
      this.stamp = word & STAMP_MASK;
      places[place] = 0;
      return true;
    }
    return false;
  }

  #bucket(hash: number): number {
    return Math.floor((hash * this.#buckets) / 2 ** 32) * PLACES;
  }
}
