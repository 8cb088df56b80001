/**
 * Free blocks by size: one list for every size below 4 KiB, above that eight lists to each power of two. A bitmap of
 * the lists that are not empty, and one of its words, find the smallest list that fits in two steps, so an allocation
 * takes the best fit below 4 KiB and nearly the best above. The links are in the free blocks themselves.
 */

const EXACT_WORDS = 1024;
const STEPS = 8;
const LIST_COUNT = EXACT_WORDS + (31 - 10) * STEPS;
/** How many blocks of a list of mixed sizes are looked at before a larger one is split. */
const LOOKS_MAX = 8;

const NEXT = 1;
const PREVIOUS = 2;

export class FreeLists {
  readonly #words: Uint32Array;
  readonly #heads = new Uint32Array(LIST_COUNT);
  readonly #bitmap = new Uint32Array(Math.ceil(LIST_COUNT / 32));
  readonly #summary = new Uint32Array(Math.ceil(LIST_COUNT / 1024));

  constructor(words: Uint32Array) {
    this.#words = words;
  }

  get bytes(): number {
    return this.#heads.byteLength + this.#bitmap.byteLength + this.#summary.byteLength;
  }

  /** Unlinks and returns a free block of at least so many words, or 0. */
  take(size: number): number {
    let address = this.#firstFit(size);
    if (address === 0) address = this.#firstFrom(listOf(size) + 1);
    if (address !== 0) this.remove(address);
    return address;
  }

  add(address: number, size: number): void {
    const list = listOf(size);
    const head = this.#heads[list];
    this.#words[address + NEXT] = head;
    this.#words[address + PREVIOUS] = 0;
    if (head !== 0) this.#words[head + PREVIOUS] = address;
    this.#heads[list] = address;
    this.#bitmap[list >>> 5] |= 1 << (list & 31);
    this.#summary[list >>> 10] |= 1 << ((list >>> 5) & 31);
  }

  remove(address: number): void {
    const words = this.#words;
    const next = words[address + NEXT];
    const previous = words[address + PREVIOUS];
    if (next !== 0) words[next + PREVIOUS] = previous;
    if (previous !== 0) words[previous + NEXT] = next;
    else this.#setHead(listOf(words[address]), next);
  }

  /** A block of the size's own list that is large enough, and leaves either nothing or a whole free block. */
  #firstFit(size: number): number {
    let address = this.#heads[listOf(size)];
    if (size < EXACT_WORDS) return address;
    for (let looks = 0; address !== 0 && looks < LOOKS_MAX; looks++) {
      if (this.#words[address] >= size) return address;
      address = this.#words[address + NEXT];
    }
    return 0;
  }

  #firstFrom(list: number): number {
    if (list >= LIST_COUNT) return 0;
    const bits = this.#bitmap[list >>> 5] & (-1 << (list & 31));
    if (bits !== 0) return this.#heads[(list & ~31) + lowestBit(bits)];
    let word = (list >>> 5) + 1;
    for (let upper = word >>> 5; upper < this.#summary.length; upper++, word = upper << 5) {
      const groups = this.#summary[upper] & (-1 << (word & 31));
      if (groups === 0) continue;
      const group = (upper << 5) + lowestBit(groups);
      return this.#heads[(group << 5) + lowestBit(this.#bitmap[group])];
    }
    return 0;
  }

  #setHead(list: number, address: number): void {
    this.#heads[list] = address;
    if (address !== 0) return;
    this.#bitmap[list >>> 5] &= ~(1 << (list & 31));
    if (this.#bitmap[list >>> 5] === 0) this.#summary[list >>> 10] &= ~(1 << ((list >>> 5) & 31));
  }
}

function listOf(size: number): number {
  if (size < EXACT_WORDS) return size;
  const power = 31 - Math.clz32(size);
  return EXACT_WORDS + (power - 10) * STEPS + ((size >>> (power - 3)) & (STEPS - 1));
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
