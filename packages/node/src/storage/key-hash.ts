import { KEY_BYTES_MAX } from '@larder/proto';

/**
 * Reads a key once: its bytes become words that can be compared with a record's, and its hash comes out on the way.
 *
 * The hash is HalfSipHash-1-3 with a random key per process, and the number of the cache in it. Nobody who does not
 * know the process can craft keys that meet: XXH32 with a secret seed cannot promise that, at the same price
 * (Aumasson, Bernstein: SipHash, 2012; the half-width variant is from its reference implementation).
 */
export class KeyHash {
  /** The key in words, little-endian; the last one is filled up with zeros. */
  readonly words = new Uint32Array(KEY_BYTES_MAX / 4 + 1);
  bytes = 0;
  /** 32 bits, unsigned. */
  hash = 0;

  readonly #key0: number;
  readonly #key1: number;

  /** The key's two words should come from a source that nobody can predict. */
  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0;
    this.#key1 = key1 | 0;
  }

  /** Another one that gives the same hashes. */
  sibling(): KeyHash {
    return new KeyHash(this.#key0, this.#key1);
  }

  load(cache: number, source: Uint8Array, start: number, end: number): void {
    const words = this.words;
    const length = end - start;
    let v0 = this.#key0;
    let v1 = this.#key1 ^ cache;
    let v2 = 0x6c796765 ^ v0;
    let v3 = 0x74656462 ^ v1;
    let index = 0;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const message = source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24);
      words[index++] = message;
      v3 ^= message;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= message;
    }
    const rest = tail(source, at, end);
    words[index] = rest;
    const last = rest | (length << 24);
    v3 ^= last;
    for (let round = 0; round < 4; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      if (round > 0) continue;
      v0 ^= last;
      v2 ^= 0xff;
    }
    this.bytes = length;
    this.hash = (v1 ^ v3) >>> 0;
  }
}

function tail(source: Uint8Array, at: number, end: number): number {
  let word = 0;
  for (let index = at, shift = 0; index < end; index++, shift += 8) word |= source[index] << shift;
  return word;
}
