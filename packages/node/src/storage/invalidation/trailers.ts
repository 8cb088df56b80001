import { EntryFlag, TAG_HASH_BYTES, type TagHashes, TRAILER_BYTES_MAX, trailerBytes } from '@larder/loader';
import type { Chunks } from '../chunks.js';
import type { Records } from '../record.js';

/** Reads what stands behind the values of entries with tags; see tag-trailer.ts of the loader. */
export class Trailers {
  readonly #records: Records;
  readonly #chunks: Chunks;
  readonly #scratch = Buffer.alloc(TRAILER_BYTES_MAX);

  constructor(records: Records, chunks: Chunks) {
    this.#records = records;
    this.#chunks = chunks;
  }

  /** 0 for an entry without tags. */
  bytes(ref: number): number {
    if ((this.#records.flags(ref) & EntryFlag.tagged) === 0) return 0;
    const stored = this.#records.valueBytes(ref);
    this.#copy(ref, stored - 1, stored);
    return trailerBytes(this.#scratch[0]!);
  }

  /** Valid until the next call; empty for an entry without tags. */
  tagsOf(ref: number): TagHashes {
    const bytes = this.bytes(ref);
    if (bytes === 0) return this.#scratch.subarray(0, 0);
    const stored = this.#records.valueBytes(ref);
    this.#copy(ref, stored - bytes, stored - 1);
    return this.#scratch.subarray(0, bytes - (bytes % TAG_HASH_BYTES));
  }

  #copy(ref: number, from: number, to: number): void {
    if (this.#records.isChunked(ref)) this.#chunks.copyValue(ref, from, to, this.#scratch, 0);
    else this.#records.copyValue(ref, from, to, this.#scratch, 0);
  }
}
