import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import xxhash from 'xxhash-wasm';
import { xxh32 } from './xxh32.js';

const PRIME32 = 2_654_435_761n;
const PRIME64 = 11_400_714_785_074_694_797n;

/** The buffer of the reference implementation's self-test: the top bytes of a product that grows by PRIME64. */
function sanityBuffer(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let generator = PRIME32;
  for (let index = 0; index < length; index++) {
    bytes[index] = Number(generator >> 56n);
    generator = BigInt.asUintN(64, generator * PRIME64);
  }
  return bytes;
}

let reference: (bytes: Uint8Array) => number;

beforeAll(async () => {
  const { h32Raw } = await xxhash();
  reference = (bytes) => h32Raw(bytes, 0);
});

// XXH32 with seed 0, from the self-test table of github.com/Cyan4973/xxHash.
test.each([
  [0, 0x02cc5d05],
  [1, 0xcf65b03e],
  [14, 0x1208e7e2],
  [222, 0x5bd11dbd],
])('the published vector of %i bytes', (length, hash) => {
  expect(xxh32(sanityBuffer(length), 0, length)).toBe(hash);
});

test('the hash of a text is the well known one', () => {
  const text = Buffer.from('Nobody inspects the spammish repetition');
  expect(xxh32(text, 0, text.length)).toBe(0xe2293b2f);
});

test('any bytes hash as the WebAssembly build of the reference hashes them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(xxh32(bytes, 0, bytes.length)).toBe(reference(bytes));
    }),
    { numRuns: 500 },
  );
});

test('a range of a buffer hashes like a buffer of its own', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(20), fc.nat(20), (bytes, before, after) => {
      const padded = Buffer.concat([Buffer.alloc(before, 1), bytes, Buffer.alloc(after, 2)]);
      expect(xxh32(padded, before, before + bytes.length)).toBe(xxh32(bytes, 0, bytes.length));
    }),
  );
});
