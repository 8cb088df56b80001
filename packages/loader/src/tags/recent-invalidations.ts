import { hashAt, hashCount, type TagHashes } from './tag-hashes.js';

/** 1 MiB or so for each cache. Above it what began before the oldest that is forgotten counts as concerned if it has tags. */
const TAGS_MAX = 16_384;

/**
 * What was invalidated lately, in the order in which it came: whoever brings a value from outside, which takes time, asks
 * at the end whether the value may be older than an invalidation that has come meanwhile. What is in memory already is the
 * memory's own affair.
 */
export class RecentInvalidations {
  /** The number of the last one. */
  order = 0;
  #clearedOrder = 0;
  /** All tags count as invalidated then. */
  #forgottenOrder = 0;
  /** Tag to its last invalidation, oldest first. */
  readonly #tags = new Map<number, number>();

  /** Undefined: everything. */
  add(tags: TagHashes | undefined): void {
    this.order++;
    if (tags === undefined) {
      this.#clearedOrder = this.order;
      this.#tags.clear();
      return;
    }
    for (let index = 0; index < hashCount(tags); index++) this.#addTag(hashAt(tags, index));
  }

  /** Whether a value with these tags, which began to be brought when `order` was this, must not be stored. */
  concerns(sinceOrder: number, tags: TagHashes | undefined): boolean {
    if (sinceOrder === this.order) return false;
    if (sinceOrder < this.#clearedOrder) return true;
    if (tags === undefined) return false;
    if (sinceOrder < this.#forgottenOrder) return true;
    for (let index = 0; index < hashCount(tags); index++) {
      const order = this.#tags.get(hashAt(tags, index));
      if (order !== undefined && sinceOrder < order) return true;
    }
    return false;
  }

  #addTag(hash: number): void {
    this.#tags.delete(hash);
    this.#tags.set(hash, this.order);
    if (this.#tags.size <= TAGS_MAX) return;
    for (const [oldest, order] of this.#tags) {
      this.#tags.delete(oldest);
      this.#forgottenOrder = order;
      return;
    }
  }
}
