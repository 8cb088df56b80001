import type { Arena } from './arena.js';
import { KIND_CHUNKED, KIND_RECORD, KIND_SHIFT, kindOf, LIVE, PREVIOUS_FREE } from './block.js';
import { ByteCopier } from './byte-copier.js';
import type { KeyHash } from './key-hash.js';

/**
 * An entry in the arena: a record, and chunks if its value is large (chunks.ts).
 *
 *   word 0   block bits, slack 2, aside 1, cache 12, key bytes 13            (block.ts)
 *   word 1   value bytes 27 | flags 5
 *   word 2   seq, low 32 bits
 *   word 3   epoch 22 | seq, high 10 bits
 *   word 4   expiry                                                          (expiry.ts)
 *   word 5.. eviction state of 0 to 3 words, by the policy of the cache      (eviction/)
 *   then     key, and without a gap the value; or key, padding, and the addresses of the chunks
 *
 * 22 bits of epoch are a change of owner every minute for eight years; 42 bits of seq are 100,000 writes a second to one
 * partition for 1.4 years.
 */

export const EPOCH_MAX = 2 ** 22 - 1;
export const SEQ_MAX = 2 ** 42 - 1;
export const FLAGS_MAX = 31;

const VALUE = 1;
const SEQ = 2;
const EPOCH = 3;
const EXPIRY = 4;
/** The first word of a record that belongs to the policy of its cache. */
export const EVICTION_STATE = 5;

const SLACK_SHIFT = 26;
const SLACK_MASK = 3;
/** Set while the policy of the cache does not name the record. */
const ASIDE = 1 << 25;
const CACHE_SHIFT = 13;
const KEY_MASK = 0x1fff;
const FLAGS_SHIFT = 27;
const VALUE_MASK = (1 << FLAGS_SHIFT) - 1;
const SEQ_HIGH_BITS = 10;
const SEQ_HIGH_MASK = (1 << SEQ_HIGH_BITS) - 1;

/** Values above this lie in chunks, so that making room for one never has to move more than a few of this size. */
export const CHUNK_BYTES = 16 * 1024;

export class Records {
  readonly words: Uint32Array;
  readonly copier: ByteCopier;
  /** By cache: words before the key. */
  readonly #keyStarts = new Uint8Array(4096);

  constructor(arena: Arena) {
    this.words = arena.words;
    this.copier = new ByteCopier(arena);
  }

  setEvictionWords(cache: number, count: number): void {
    this.#keyStarts[cache] = EVICTION_STATE + count;
  }

  cache(ref: number): number {
    return (this.words[ref] >>> CACHE_SHIFT) & 0xfff;
  }

  keyBytes(ref: number): number {
    return this.words[ref] & KEY_MASK;
  }

  isChunked(ref: number): boolean {
    return kindOf(this.words[ref]) === KIND_CHUNKED;
  }

  isAside(ref: number): boolean {
    return (this.words[ref] & ASIDE) !== 0;
  }

  setAside(ref: number, aside: boolean): void {
    if (aside) this.words[ref] |= ASIDE;
    else this.words[ref] &= ~ASIDE;
  }

  valueBytes(ref: number): number {
    return this.words[ref + VALUE] & VALUE_MASK;
  }

  flags(ref: number): number {
    return this.words[ref + VALUE] >>> FLAGS_SHIFT;
  }

  /** The record must be of the right size for it. */
  setValueBytes(ref: number, valueBytes: number): void {
    this.words[ref + VALUE] = (this.words[ref + VALUE] & ~VALUE_MASK) | valueBytes;
  }

  setFlags(ref: number, flags: number): void {
    this.words[ref + VALUE] = (this.words[ref + VALUE] & VALUE_MASK) | (flags << FLAGS_SHIFT);
  }

  epoch(ref: number): number {
    return this.words[ref + EPOCH] >>> SEQ_HIGH_BITS;
  }

  seq(ref: number): number {
    return (this.words[ref + EPOCH] & SEQ_HIGH_MASK) * 2 ** 32 + this.words[ref + SEQ];
  }

  setVersion(ref: number, epoch: number, seq: number): void {
    this.words[ref + SEQ] = seq % 2 ** 32;
    this.words[ref + EPOCH] = (epoch << SEQ_HIGH_BITS) | Math.floor(seq / 2 ** 32);
  }

  expiry(ref: number): number {
    return this.words[ref + EXPIRY];
  }

  setExpiry(ref: number, expiry: number): void {
    this.words[ref + EXPIRY] = expiry;
  }

  /** The address of the word in which the key starts. */
  keyStart(ref: number): number {
    return ref + this.#keyStarts[this.cache(ref)];
  }

  /** Words of the record's block, without its chunks. */
  blockWords(ref: number): number {
    return this.neededWords(ref) + ((this.words[ref] >>> SLACK_SHIFT) & SLACK_MASK);
  }

  /** The same without slack. */
  neededWords(ref: number): number {
    return this.wordsFor(this.cache(ref), this.keyBytes(ref), this.valueBytes(ref));
  }

  /** Words that a record takes, without slack and chunks. */
  wordsFor(cache: number, keyBytes: number, valueBytes: number): number {
    if (valueBytes <= CHUNK_BYTES) return this.#keyStarts[cache] + ((keyBytes + valueBytes + 3) >>> 2);
    return this.#keyStarts[cache] + ((keyBytes + 3) >>> 2) + Math.ceil(valueBytes / CHUNK_BYTES);
  }

  /** The address of the word that holds the address of the first chunk. */
  chunkTable(ref: number): number {
    return this.keyStart(ref) + ((this.keyBytes(ref) + 3) >>> 2);
  }

  /** Turns a block under construction into a record that never expires: all but version and value. */
  writeHeader(ref: number, cache: number, key: KeyHash, valueBytes: number, flags: number, slack: number): void {
    const { words } = this;
    const kind = valueBytes > CHUNK_BYTES ? KIND_CHUNKED : KIND_RECORD;
    const block = LIVE | (words[ref] & PREVIOUS_FREE) | (kind << KIND_SHIFT) | (slack << SLACK_SHIFT);
    words[ref] = block | (cache << CACHE_SHIFT) | key.bytes;
    words[ref + VALUE] = valueBytes | (flags << FLAGS_SHIFT);
    words[ref + EXPIRY] = 0;
    const start = ref + this.#keyStarts[cache];
    for (let index = ref + EVICTION_STATE; index < start; index++) words[index] = 0;
    for (let index = 0; index << 2 < key.bytes; index++) words[start + index] = key.words[index];
  }

  /** The first word of a record that was copied to a block with other slack. */
  copyHeader(from: number, to: number, slack: number): void {
    const { words } = this;
    const kept = words[from] & ~(PREVIOUS_FREE | (SLACK_MASK << SLACK_SHIFT));
    words[to] = kept | (words[to] & PREVIOUS_FREE) | (slack << SLACK_SHIFT);
  }

  copyEvictionState(from: number, to: number, count: number): void {
    for (let index = EVICTION_STATE; index < EVICTION_STATE + count; index++) {
      this.words[to + index] = this.words[from + index];
    }
  }

  /** Whether this is the record of the loaded key. */
  matches(ref: number, cache: number, key: KeyHash): boolean {
    const { words } = this;
    const { bytes } = key;
    if ((words[ref] & ((0xfff << CACHE_SHIFT) | KEY_MASK)) !== ((cache << CACHE_SHIFT) | bytes)) return false;
    const start = ref + this.#keyStarts[cache];
    const whole = bytes >>> 2;
    for (let index = 0; index < whole; index++) if (words[start + index] !== key.words[index]) return false;
    const odd = (bytes & 3) << 3;
    return odd === 0 || ((words[start + whole] ^ key.words[whole]) & ((1 << odd) - 1)) === 0;
  }

  copyKey(ref: number, target: Uint8Array, at: number): void {
    const start = this.keyStart(ref);
    this.copier.copyOut(start, 0, this.keyBytes(ref), target, at);
  }

  /** Not for chunked records. */
  copyValue(ref: number, from: number, to: number, target: Uint8Array, at: number): void {
    const skip = this.keyBytes(ref);
    this.copier.copyOut(this.keyStart(ref), skip + from, skip + to, target, at);
  }

  /** Not for chunked records. */
  writeValue(ref: number, value: Uint8Array, start: number, end: number): void {
    this.copier.copyIn(this.keyStart(ref), this.keyBytes(ref), value, start, end);
  }
}
