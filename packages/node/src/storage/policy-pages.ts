import type { Arena } from './arena.js';
import { fixedWords, PREVIOUS_FREE, pageHeader } from './block.js';
import type { Evacuation } from './evacuation.js';

/**
 * Memory in the arena for what a policy keeps beside records: pages of 16 KiB, which move like everything else, so that
 * they need no memory of their own and come and go as entries do.
 *
 *   word 0  block bits, size     word 1  owner     word 2  number of the page     then 4,096 words, 0 at first
 */
export const PAGE_WORDS = 4096;
const OWNER = 1;
const NUMBER = 2;
const HEADER_WORDS = 3;

export interface PageOwner {
  /** The words of the page start at `address` now. */
  pageMoved(number: number, address: number): void;
}

export class PolicyPages {
  readonly words: Uint32Array;
  readonly #arena: Arena;
  readonly #evacuation: () => Evacuation;
  readonly #owners: PageOwner[] = [];

  constructor(arena: Arena, evacuation: () => Evacuation) {
    this.words = arena.words;
    this.#arena = arena;
    this.#evacuation = evacuation;
  }

  register(owner: PageOwner): number {
    return this.#owners.push(owner) - 1;
  }

  /** The address of the words of a new page, 0 if there is no room. May move records, and evict some in the way. */
  allocate(owner: number, number: number): number {
    const size = HEADER_WORDS + PAGE_WORDS;
    let address = this.#arena.allocate(size);
    if (address === 0) {
      this.#evacuation().begin(size);
      address = this.#evacuation().makeBlock(size);
    }
    if (address === 0) return 0;
    const { words } = this;
    words[address] = (pageHeader(fixedWords(words[address]!)) | (words[address]! & PREVIOUS_FREE)) >>> 0;
    words[address + OWNER] = owner;
    words[address + NUMBER] = number;
    words.fill(0, address + HEADER_WORDS, address + size);
    return address + HEADER_WORDS;
  }

  free(address: number): void {
    const block = address - HEADER_WORDS;
    this.#arena.free(block, fixedWords(this.words[block]!));
  }

  /** Words that a page's block must have. */
  get blockWords(): number {
    return HEADER_WORDS + PAGE_WORDS;
  }

  /** A page's block has been copied here. */
  moved(block: number): void {
    const { words } = this;
    this.#owners[words[block + OWNER]!]!.pageMoved(words[block + NUMBER]!, block + HEADER_WORDS);
  }
}
