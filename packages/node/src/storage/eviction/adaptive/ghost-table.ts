/**
 * Remembers keys that were evicted, four bytes each, with what was known about them.
 *
 *   fingerprint 10 | count 4 | epoch 4 | stamp 14          (0: empty; a count is never 0)
 *
 * A key's bucket has four places; the newcomer takes an empty one or that of the key that was not asked for the longest.
 * One in 256 looks for a key that is not there finds another's place: the damage is one wrong admission.
 */
export const PLACES_PER_BUCKET = 4;
const FINGERPRINT_SHIFT = 22;
const STAMP_MASK = 0x3fff;
const COUNT_SHIFT = 18;
const EPOCH_SHIFT = 14;

export abstract class GhostTable {
  /** What `take` found. */
  count = 0;
  epoch = 0;
  stamp = 0;
  readonly #words: Uint32Array;

  constructor(words: Uint32Array) {
    this.#words = words;
  }

  /** How many keys it can remember. */
  abstract readonly places: number;

  /** The first place of the bucket of a key, in the words. */
  protected abstract bucketOf(hash: number): number;

  add(hash: number, count: number, epoch: number, stamp: number): void {
    const words = this.#words;
    const first = this.bucketOf(hash);
    let target = first;
    let age = -1;
    for (let place = first; place < first + PLACES_PER_BUCKET; place++) {
      const word = words[place]!;
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
    words[target] =
      (hash << FINGERPRINT_SHIFT) | (count << COUNT_SHIFT) | (epoch << EPOCH_SHIFT) | (stamp & STAMP_MASK);
  }

  /** Removes a key and says what was known about it in `count`, `epoch` and `stamp`. */
  take(hash: number): boolean {
    const words = this.#words;
    const first = this.bucketOf(hash);
    const fingerprint = hash & 0x3ff;
    for (let place = first; place < first + PLACES_PER_BUCKET; place++) {
      const word = words[place]!;
      if (word === 0 || word >>> FINGERPRINT_SHIFT !== fingerprint) continue;
      this.count = (word >>> COUNT_SHIFT) & 15;
      this.epoch = (word >>> EPOCH_SHIFT) & 15;
      this.stamp = word & STAMP_MASK;
      words[place] = 0;
      return true;
    }
    return false;
  }
}
