import type { Arena } from './arena.js';
import { BLOCK_WORDS_MIN, fixedWords, PREVIOUS_FREE, tableHeader } from './block.js';
import { DEPTH_MAX, type Directory } from './directory.js';
import { CLASS_COUNT } from './expiry.js';
import type { BlockSource } from './partition-index.js';

/**
 * A segment of a partition's index: an open-addressing table in one block of the arena.
 *
 *   word 0   block bits, size          (block.ts)
 *   word 1   partition
 *   word 2   the first tag of its range
 *   word 3   entries
 *   then     slots of two words: address of the record (0: empty) | tag 24, expiry class 8
 *
 * A slot's home is its tag's place in the range, scaled to the capacity, which may therefore be any number. Linear probing
 * in the order of the tags: a slot is never before its home and tags never fall from slot to slot, so a miss ends at the
 * first larger tag, growing is a copy from front to back, and a removal closes the gap behind it (no tombstones).
 * Nothing wraps: a few slots behind the last home take what is pushed over the end, then comes one that stays empty.
 *
 * A segment grows by a quarter when 85 % of its homes would be taken, splits beyond 2,048, and shrinks below 25 %.
 */
export const TAG_COUNT = 1 << 24;

const PARTITION = 1;
const FIRST_TAG = 2;
const COUNT = 3;
const HEADER_WORDS = 4;

const CAPACITY_MIN = 4;
const CAPACITY_MAX = 2048;
/** At the greatest depth segments grow beyond CAPACITY_MAX, up to what the directory can say. */
const CAPACITY_LIMIT = 0xffff;
const LOAD_MAX = 0.85;
const GROWTH = 1.25;
const LOAD_AFTER_SHRINKING = 0.7;
/** Of 2,048 homes, 85 % taken, fewer than one in 100 tables pushes more than this over its end (queue of M/D/1). */
const OVERFLOW_SLOTS = 12;
/** 15 bits of the tag's place times 16 bits of capacity stay within an unsigned word. */
const PLACE_BITS = 15;

export class SegmentTable {
  readonly #arena: Arena;
  readonly #words: Uint32Array;
  readonly #directory: Directory;
  #totalWords = 0;

  constructor(arena: Arena, directory: Directory) {
    this.#arena = arena;
    this.#words = arena.words;
    this.#directory = directory;
  }

  get totalWords(): number {
    return this.#totalWords;
  }

  /** The slot at which the search for a tag starts, or 0. */
  home(partition: number, tag: number): number {
    const directory = this.#directory;
    const entry = directory.entryOf(partition, tag);
    const slots = directory.slots(entry);
    if (slots === 0) return 0;
    return slots + 2 * homeOf(tag, directory.localDepth(entry), directory.capacity(entry));
  }

  /** The first slot with at least this tag in the partition, or 0. */
  slotFrom(partition: number, tag: number): number {
    for (let from = tag; from < TAG_COUNT; from = this.rangeEnd(partition, from)) {
      const slot = this.home(partition, from);
      if (slot === 0) continue;
      const found = this.#occupied(slot, this.#end(partition, from), from);
      if (found !== 0) return found;
    }
    return 0;
  }

  slotBehind(partition: number, slot: number): number {
    const tag = this.#words[slot + 1] >>> 8;
    const found = this.#occupied(slot + 2, this.#end(partition, tag), 0);
    return found !== 0 ? found : this.slotFrom(partition, this.rangeEnd(partition, tag));
  }

  nextDue(partition: number, tag: number, first: number, count: number): number {
    const words = this.#words;
    let slot = this.home(partition, tag);
    if (slot === 0) return 0;
    for (const end = this.#end(partition, tag); slot < end; slot += 2) {
      const expiryClass = words[slot + 1] & 0xff;
      if (expiryClass === 0) continue;
      const behind = expiryClass - first;
      if ((behind < 0 ? behind + CLASS_COUNT : behind) < count && words[slot + 1] >>> 8 >= tag) return slot;
    }
    return 0;
  }

  /** The first tag behind the segment of a tag. */
  rangeEnd(partition: number, tag: number): number {
    return rangeEnd(tag, this.#directory.localDepth(this.#directory.entryOf(partition, tag)));
  }

  /** Grows or splits until one more entry fits. */
  makeRoom(partition: number, tag: number, source: BlockSource): boolean {
    while (!this.#hasRoom(partition, tag)) {
      if (!this.#enlarge(partition, tag, source)) return false;
    }
    return true;
  }

  insert(partition: number, tag: number, ref: number): number {
    const words = this.#words;
    let slot = this.home(partition, tag);
    while (words[slot] !== 0 && words[slot + 1] >>> 8 <= tag) slot += 2;
    let end = slot;
    while (words[end] !== 0) end += 2;
    for (let index = end + 1; index > slot + 1; index--) words[index] = words[index - 2];
    words[slot] = ref;
    words[slot + 1] = tag << 8;
    words[this.#slots(partition, tag) - HEADER_WORDS + COUNT]++;
    return slot;
  }

  remove(partition: number, slot: number): void {
    const words = this.#words;
    const tag = words[slot + 1] >>> 8;
    const entry = this.#directory.entryOf(partition, tag);
    const slots = this.#directory.slots(entry);
    const capacity = this.#directory.capacity(entry);
    const localDepth = this.#directory.localDepth(entry);
    let gap = slot;
    for (let next = gap + 2; words[next] !== 0; gap = next, next += 2) {
      if (slots + 2 * homeOf(words[next + 1] >>> 8, localDepth, capacity) === next) break;
      words[gap] = words[next];
      words[gap + 1] = words[next + 1];
    }
    words[gap] = 0;
    words[gap + 1] = 0;
    words[slots - HEADER_WORDS + COUNT]--;
  }

  /** Gives memory back if few slots are left in use and there is a smaller block. */
  shrink(partition: number, tag: number, source: BlockSource): void {
    const entry = this.#directory.entryOf(partition, tag);
    const capacity = this.#directory.capacity(entry);
    if (capacity <= 2 * CAPACITY_MIN) return;
    const count = this.#words[this.#directory.slots(entry) - HEADER_WORDS + COUNT];
    if (count * 4 >= capacity) return;
    const smaller = Math.max(CAPACITY_MIN, Math.ceil(count / LOAD_AFTER_SHRINKING));
    const localDepth = this.#directory.localDepth(entry);
    if (!this.#fits(partition, tag, localDepth, smaller)) return;
    const address = source.allocateFree(blockWordsOf(smaller));
    if (address !== 0) this.#rebuild(partition, tag, localDepth, [{ address, capacity: smaller }]);
  }

  freeAll(partition: number): void {
    for (let tag = 0; tag < TAG_COUNT; ) {
      const entry = this.#directory.entryOf(partition, tag);
      const slots = this.#directory.slots(entry);
      tag = rangeEnd(tag, this.#directory.localDepth(entry));
      if (slots !== 0) this.#free(slots - HEADER_WORDS);
    }
    this.#directory.reset(partition);
  }

  neededWords(address: number): number {
    const entry = this.#directory.entryOf(this.#words[address + PARTITION], this.#words[address + FIRST_TAG]);
    return blockWordsOf(this.#directory.capacity(entry));
  }

  moved(address: number, wordsBefore: number): void {
    this.#totalWords += fixedWords(this.#words[address]) - wordsBefore;
    const partition = this.#words[address + PARTITION];
    const tag = this.#words[address + FIRST_TAG];
    const entry = this.#directory.entryOf(partition, tag);
    const localDepth = this.#directory.localDepth(entry);
    this.#directory.set(partition, tag, localDepth, address + HEADER_WORDS, this.#directory.capacity(entry));
  }

  /** The end of the slots of a tag's segment. */
  #end(partition: number, tag: number): number {
    const entry = this.#directory.entryOf(partition, tag);
    const capacity = this.#directory.capacity(entry);
    return this.#directory.slots(entry) + 2 * (capacity + overflowOf(capacity));
  }

  #occupied(from: number, end: number, tag: number): number {
    const words = this.#words;
    for (let slot = from; slot < end; slot += 2) {
      if (words[slot] !== 0 && words[slot + 1] >>> 8 >= tag) return slot;
    }
    return 0;
  }

  #slots(partition: number, tag: number): number {
    return this.#directory.slots(this.#directory.entryOf(partition, tag));
  }

  #hasRoom(partition: number, tag: number): boolean {
    const words = this.#words;
    const entry = this.#directory.entryOf(partition, tag);
    const slots = this.#directory.slots(entry);
    if (slots === 0) return false;
    const capacity = this.#directory.capacity(entry);
    if (words[slots - HEADER_WORDS + COUNT] + 1 > capacity * LOAD_MAX) return false;
    let slot = slots + 2 * homeOf(tag, this.#directory.localDepth(entry), capacity);
    while (words[slot] !== 0) slot += 2;
    return slot < slots + 2 * (capacity + overflowOf(capacity));
  }

  /** One step: a first segment, a larger one, or two halves. */
  #enlarge(partition: number, tag: number, source: BlockSource): boolean {
    const entry = this.#directory.entryOf(partition, tag);
    const capacity = this.#directory.capacity(entry);
    const localDepth = this.#directory.localDepth(entry);
    let larger = Math.max(CAPACITY_MIN, Math.ceil(capacity * GROWTH));
    if (larger > CAPACITY_MAX && localDepth < DEPTH_MAX)
      return this.#split(partition, tag, localDepth, capacity, source);
    while (!this.#fits(partition, tag, localDepth, larger)) larger = Math.ceil(larger * GROWTH);
    if (larger > CAPACITY_LIMIT) return false;
    const address = source.allocate(blockWordsOf(larger));
    if (address === 0) return false;
    this.#rebuild(partition, tag, localDepth, [{ address, capacity: larger }]);
    return true;
  }

  #split(partition: number, tag: number, localDepth: number, capacity: number, source: BlockSource): boolean {
    const middle = rangeStart(tag, localDepth) + (TAG_COUNT >>> (localDepth + 1));
    const halves = [];
    for (const half of [middle - 1, middle]) {
      let halfCapacity = Math.ceil((capacity * GROWTH) / 2);
      while (!this.#fits(partition, half, localDepth + 1, halfCapacity))
        halfCapacity = Math.ceil(halfCapacity * GROWTH);
      const address = source.allocate(blockWordsOf(halfCapacity));
      if (address === 0) break;
      halves.push({ address, capacity: halfCapacity });
    }
    if (halves.length < 2) {
      for (const { address } of halves) this.#arena.free(address, fixedWords(this.#words[address]));
      return false;
    }
    this.#rebuild(partition, tag, localDepth, halves);
    return true;
  }

  /** Whether the entries in the range of `tag` at that depth fit a table of this capacity without running over its end. */
  #fits(partition: number, tag: number, depth: number, capacity: number): boolean {
    const words = this.#words;
    const entry = this.#directory.entryOf(partition, tag);
    let slot = this.#directory.slots(entry);
    if (slot === 0) return true;
    const old = this.#directory.capacity(entry);
    const first = rangeStart(tag, depth);
    const end = rangeEnd(tag, depth);
    let free = 0;
    let count = 0;
    for (let left = old + overflowOf(old); left > 0; left--, slot += 2) {
      const slotTag = words[slot + 1] >>> 8;
      if (words[slot] === 0 || slotTag < first || slotTag >= end) continue;
      free = Math.max(free, homeOf(slotTag, depth, capacity)) + 1;
      count++;
    }
    return free <= capacity + overflowOf(capacity) && count + 1 <= capacity * LOAD_MAX;
  }

  /** Replaces the segment of a tag by one or two new ones in blocks that were allocated for them. */
  #rebuild(partition: number, tag: number, localDepth: number, blocks: { address: number; capacity: number }[]): void {
    const entry = this.#directory.entryOf(partition, tag);
    const oldSlots = this.#directory.slots(entry);
    const oldCapacity = this.#directory.capacity(entry);
    const depth = localDepth + blocks.length - 1;
    if (depth > this.#directory.depth(partition)) this.#directory.double(partition);
    let source = oldSlots;
    const sourceEnd = oldSlots === 0 ? 0 : oldSlots + 2 * (oldCapacity + overflowOf(oldCapacity));
    let first = rangeStart(tag, localDepth);
    for (const { address, capacity } of blocks) {
      const end = rangeEnd(first, depth);
      source = this.#fill(address, partition, first, end, depth, capacity, source, sourceEnd);
      this.#directory.set(partition, first, depth, address + HEADER_WORDS, capacity);
      first = end;
    }
    if (oldSlots !== 0) this.#free(oldSlots - HEADER_WORDS);
  }

  /** Writes a table from the old slots in [source, sourceEnd) whose tags are below `end`; returns where it stopped. */
  #fill(
    address: number,
    partition: number,
    first: number,
    end: number,
    depth: number,
    capacity: number,
    source: number,
    sourceEnd: number,
  ): number {
    const words = this.#words;
    const size = fixedWords(words[address]);
    this.#totalWords += size;
    words[address] = tableHeader(size) | (words[address] & PREVIOUS_FREE);
    words[address + PARTITION] = partition;
    words[address + FIRST_TAG] = first;
    const slots = address + HEADER_WORDS;
    words.fill(0, slots, address + size);
    let next = slots;
    let count = 0;
    let from = source;
    for (; from < sourceEnd; from += 2) {
      if (words[from] === 0) continue;
      const tag = words[from + 1] >>> 8;
      if (tag >= end) break;
      next = Math.max(next, slots + 2 * homeOf(tag, depth, capacity));
      words[next] = words[from];
      words[next + 1] = words[from + 1];
      next += 2;
      count++;
    }
    words[address + COUNT] = count;
    return from;
  }

  #free(address: number): void {
    const size = fixedWords(this.#words[address]);
    this.#totalWords -= size;
    this.#arena.free(address, size);
  }
}

function homeOf(tag: number, localDepth: number, capacity: number): number {
  const place = (tag << (localDepth + 8)) >>> (32 - PLACE_BITS);
  return Math.imul(place, capacity) >>> PLACE_BITS;
}

function overflowOf(capacity: number): number {
  return Math.min(OVERFLOW_SLOTS, capacity);
}

/** One slot more than can be taken: it ends every search. */
function blockWordsOf(capacity: number): number {
  return Math.max(BLOCK_WORDS_MIN, HEADER_WORDS + 2 * (capacity + overflowOf(capacity) + 1));
}

function rangeStart(tag: number, localDepth: number): number {
  const bits = 24 - localDepth;
  return (tag >>> bits) << bits;
}

function rangeEnd(tag: number, localDepth: number): number {
  return rangeStart(tag, localDepth) + (TAG_COUNT >>> localDepth);
}
