import { type Random, seededRandom } from '@larder/base';

/**
 * The keys and values that every client of a comparison sees: 100,000 keys of 9 bytes, values of 100 random bytes.
 * A value follows from its key, so that what comes back can be checked. The same on every machine and in every process.
 */
export const KEY_COUNT = 100_000;
export const VALUE_BYTES = 100;

const VALUE_COUNT = 1_024;
/** A power of two; each key comes about 2.6 times a round. */
const SEQUENCE_LENGTH = 262_144;

export const KEYS: readonly string[] = Array.from(
  { length: KEY_COUNT },
  (_, index) => `k:${String(index).padStart(7, '0')}`,
);

export const VALUES: readonly Buffer[] = Array.from({ length: VALUE_COUNT }, (_, index) =>
  randomBytes(VALUE_BYTES, index),
);

export function valueFor(keyIndex: number): Buffer {
  return VALUES[keyIndex % VALUE_COUNT]!;
}

const sequence = uniformSequence(seededRandom(1));
let cursor = 0;

/** Uniformly distributed, drawn in advance: one draw would cost a tenth of what a fast client's operation does. */
export function nextKeyIndex(): number {
  cursor = (cursor + 1) & (SEQUENCE_LENGTH - 1);
  return sequence[cursor]!;
}

/** Reproducible bytes that do not compress. */
export function randomBytes(length: number, seed: number): Buffer {
  const random = seededRandom(seed);
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++) bytes[index] = random.uint32();
  return bytes;
}

function uniformSequence(random: Random): Uint32Array {
  return Uint32Array.from({ length: SEQUENCE_LENGTH }, () => random.integer(KEY_COUNT));
}
