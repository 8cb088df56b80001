import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ByteSlabs } from './byte-slabs.js';

it('keeps each copy as it was, whatever is copied after it and whatever becomes of the source', () => {
  const lengths = fc.array(fc.oneof(fc.nat(50), fc.nat(3_000)), { maxLength: 100 });
  fc.assert(
    fc.property(lengths, fc.nat(7), (all, offset) => {
      const slabs = new ByteSlabs();
      const copies = all.map((length, index) => {
        const source = new Uint8Array(length + 2 * offset).fill(index + 1, offset, offset + length);
        const copy = slabs.copy(source, offset, offset + length);
        source.fill(255);
        return copy;
      });
      for (const [index, copy] of copies.entries()) {
        expect(Buffer.compare(copy, new Uint8Array(all[index]!).fill(index + 1))).toBe(0);
      }
    }),
    { numRuns: 50 },
  );
});
