import { PAGE_WORDS, type PageOwner, type PolicyPages } from '../../policy-pages.js';
import { GhostTable, PLACES_PER_BUCKET } from './ghost-table.js';

/** Bits of the hash that name the page; the ten below them are the fingerprint. */
const PAGE_BITS_SHIFT = 10;
/** log2 of the buckets of a page. */
const BUCKET_BITS = 10;

/**
 * A ghost table that follows the number of entries, a page of the arena at a time. Which page has a key is settled as in
 * linear hashing (Litwin, 1980): with n pages, by as many bits of the hash as n needs, or one bit less if that page is not
 * there yet. A new page takes over half of the keys of one other; what that one knew of them is not moved but left to
 * age, so growing costs one page in so many that is forgotten by half.
 */
export class PagedGhosts extends GhostTable implements PageOwner {
  readonly #pages: PolicyPages;
  readonly #owner: number;
  #addresses = new Uint32Array(16);
  #count = 0;
  #mask = 0;

  constructor(pages: PolicyPages) {
    super(pages.words);
    this.#pages = pages;
    this.#owner = pages.register(this);
  }

  get places(): number {
    return this.#count * PAGE_WORDS;
  }

  /** Adds a page. False: there is no room for it now. */
  grow(): boolean {
    const address = this.#pages.allocate(this.#owner, this.#count);
    if (address === 0) return false;
    if (this.#count === this.#addresses.length) {
      const longer = new Uint32Array(this.#count * 2);
      longer.set(this.#addresses);
      this.#addresses = longer;
    }
    this.#addresses[this.#count] = address;
    this.#setCount(this.#count + 1);
    return true;
  }

  /** Gives the last page back. */
  shrink(): void {
    this.#setCount(this.#count - 1);
    this.#pages.free(this.#addresses[this.#count]!);
  }

  pageMoved(number: number, address: number): void {
    this.#addresses[number] = address;
  }

  override add(hash: number, count: number, epoch: number, stamp: number): void {
    if (this.#count > 0) super.add(hash, count, epoch, stamp);
  }

  override take(hash: number): boolean {
    return this.#count > 0 && super.take(hash);
  }

  protected bucketOf(hash: number): number {
    const bits = hash >>> PAGE_BITS_SHIFT;
    let page = bits & this.#mask;
    if (page >= this.#count) page = bits & (this.#mask >>> 1);
    const bucket = Math.imul(hash, 0x9e3779b1) >>> (32 - BUCKET_BITS);
    return this.#addresses[page]! + bucket * PLACES_PER_BUCKET;
  }

  #setCount(count: number): void {
    this.#count = count;
    this.#mask = count < 2 ? 0 : 2 ** (32 - Math.clz32(count - 1)) - 1;
  }
}
