import { PARTITION_COUNT } from '@larder/proto';

/**
 * Which segment of a partition has which tags. A partition of depth d has 2^d entries, one for each value of the tag's
 * upper d bits; a segment that was split less often than others stands in several neighbouring entries.
 *
 *   entry, 2 words:   slots of the segment (0: none yet) | local depth 8, capacity 16
 *
 * All entries lie in one array, so that finding one costs no more than two reads of memory that stays in the CPU's cache.
 */
const TAG_BITS = 24;
/** 4,096 segments of 2,048 slots: beyond that, which is more than 5 million entries of one partition, segments grow. */
export const DEPTH_MAX = 12;

export class Directory {
  readonly #bases = new Uint32Array(PARTITION_COUNT);
  readonly #shifts = new Uint8Array(PARTITION_COUNT).fill(TAG_BITS);
  /** By depth: ranges that were given up. */
  readonly #spare: number[][] = Array.from({ length: DEPTH_MAX + 1 }, () => []);
  #entries = new Uint32Array(PARTITION_COUNT * 2);
  #end = PARTITION_COUNT * 2;

  constructor() {
    for (let partition = 0; partition < PARTITION_COUNT; partition++) this.#bases[partition] = partition * 2;
  }

  get bytes(): number {
    return this.#entries.byteLength + this.#bases.byteLength + this.#shifts.byteLength;
  }

  depth(partition: number): number {
    return TAG_BITS - this.#shifts[partition];
  }

  /** The index of the entry that has this tag. */
  entryOf(partition: number, tag: number): number {
    return this.#bases[partition] + ((tag >>> this.#shifts[partition]) << 1);
  }

  slots(entry: number): number {
    return this.#entries[entry];
  }

  capacity(entry: number): number {
    return this.#entries[entry + 1] & 0xffff;
  }

  localDepth(entry: number): number {
    return this.#entries[entry + 1] >>> 16;
  }

  /** Points all entries of the tags that start with the upper `localDepth` bits of `tag` to a segment. */
  set(partition: number, tag: number, localDepth: number, slots: number, capacity: number): void {
    const first = (tag >>> (TAG_BITS - localDepth)) << (TAG_BITS - localDepth);
    let entry = this.entryOf(partition, first);
    for (let count = 1 << (this.depth(partition) - localDepth); count > 0; count--, entry += 2) {
      this.#entries[entry] = slots;
      this.#entries[entry + 1] = (localDepth << 16) | capacity;
    }
  }

  /** Gives the partition twice as many entries; each segment stands in twice as many. */
  double(partition: number): void {
    const depth = this.depth(partition);
    const from = this.#bases[partition];
    const to = this.#range(depth + 1);
    for (let index = 0; index < 2 << depth; index += 2) {
      for (const target of [to + 2 * index, to + 2 * index + 2]) {
        this.#entries[target] = this.#entries[from + index];
        this.#entries[target + 1] = this.#entries[from + index + 1];
      }
    }
    if (depth > 0) this.#spare[depth].push(from);
    this.#bases[partition] = to;
    this.#shifts[partition]--;
  }

  /** Back to one entry without a segment. */
  reset(partition: number): void {
    const depth = this.depth(partition);
    if (depth > 0) this.#spare[depth].push(this.#bases[partition]);
    this.#bases[partition] = partition * 2;
    this.#shifts[partition] = TAG_BITS;
    this.#entries[partition * 2] = 0;
    this.#entries[partition * 2 + 1] = 0;
  }

  #range(depth: number): number {
    const spare = this.#spare[depth].pop();
    if (spare !== undefined) return spare;
    const start = this.#end;
    this.#end += 2 << depth;
    if (this.#end > this.#entries.length) {
      const grown = new Uint32Array(Math.max(this.#end, Math.ceil(this.#entries.length * 1.5)));
      grown.set(this.#entries);
      this.#entries = grown;
    }
    return start;
  }
}
