import { seededRandom } from '@larder/base';
import { xxh32 } from '@larder/proto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyHash } from './key-hash.js';

const MASK = 0xffffffffn;
const rotate = (word: bigint, bits: bigint): bigint => ((word << bits) | (word >> (32n - bits))) & MASK;

/** HalfSipHash with `compressions` and `finalizations` rounds, written from its description, with 32 bits of output. */
function halfSipHash(key0: number, key1: number, message: Uint8Array, compressions: number, finalizations: number) {
  let [v0, v1] = [BigInt(key0), BigInt(key1)];
  let [v2, v3] = [0x6c796765n ^ v0, 0x74656462n ^ v1];
  const round = (): void => {
    v0 = (v0 + v1) & MASK;
    v1 = rotate(v1, 5n) ^ v0;
    v0 = rotate(v0, 16n);
    v2 = (v2 + v3) & MASK;
    v3 = rotate(v3, 8n) ^ v2;
    v0 = (v0 + v3) & MASK;
    v3 = rotate(v3, 7n) ^ v0;
    v2 = (v2 + v1) & MASK;
    v1 = rotate(v1, 13n) ^ v2;
    v2 = rotate(v2, 16n);
  };
  const padded = Buffer.alloc((Math.floor(message.length / 4) + 1) * 4);
  padded.set(message);
  padded[padded.length - 1] = message.length & 0xff;
  for (let at = 0; at < padded.length; at += 4) {
    const word = BigInt(padded.readUInt32LE(at));
    v3 ^= word;
    for (let count = 0; count < compressions; count++) round();
    v0 ^= word;
  }
  v2 ^= 0xffn;
  for (let count = 0; count < finalizations; count++) round();
  return Number(v1 ^ v3);
}

test('the model of this test is HalfSipHash: it gives the published values of HalfSipHash-2-4', () => {
  // The first vectors of the reference implementation: key 00 01 .. 07, messages of 0, 1 and 2 bytes 00, 01.
  const [key0, key1] = [0x03020100, 0x07060504];
  const outputs = [0, 1, 2].map((length) =>
    halfSipHash(
      key0,
      key1,
      Uint8Array.from({ length }, (_, index) => index),
      2,
      4,
    ),
  );
  expect(outputs).toEqual([0x5b9f35a9, 0xb85a4727, 0x03a662fa]);
});

test('the hash of a key is HalfSipHash-1-3, with the number of the cache in the second word of the secret', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(4095), fc.nat(), fc.nat(), (key, cache, key0, key1) => {
      const hash = new KeyHash(key0, key1);
      hash.load(cache, key, 0, key.length);
      expect(hash.hash).toBe(halfSipHash(key0, (key1 ^ cache) >>> 0, key, 1, 3));
    }),
  );
});

test('keys that all have the same XXH32 do not meet in this hash', () => {
  const random = seededRandom(3);
  const groups = new Map<number, Buffer[]>();
  for (let index = 0; index < 300_000; index++) {
    const key = Buffer.alloc(8);
    key.writeUInt32LE(index);
    key.writeUInt32LE(random.uint32(), 4);
    const group = xxh32(key, 0, 8) >>> 12;
    const keys = groups.get(group) ?? [];
    keys.push(key);
    groups.set(group, keys);
  }
  const colliding = [...groups.values()].filter((keys) => keys.length > 1).flat();
  const hash = new KeyHash(1, 2);
  const seen = new Set<number>();
  for (const key of colliding) {
    hash.load(0, key, 0, key.length);
    seen.add(hash.hash);
  }
  expect(colliding.length).toBeGreaterThan(10_000);
  expect(seen.size).toBeGreaterThan(colliding.length * 0.999);
});

test('another secret gives other hashes, a sibling the same, another cache others', () => {
  const key = Buffer.from('the same key');
  const hashes = [new KeyHash(1, 2), new KeyHash(1, 2).sibling(), new KeyHash(1, 3)].map((hash) => {
    hash.load(0, key, 0, key.length);
    return hash.hash;
  });
  const other = new KeyHash(1, 2);
  other.load(1, key, 0, key.length);
  expect(hashes[0]).toBe(hashes[1]);
  expect(hashes[0]).not.toBe(hashes[2]);
  expect(other.hash).not.toBe(hashes[0]);
});
