import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ByteSlabs, copyBytes, SLAB_SHARE_BYTES_MAX } from './byte-slabs.js';

it('keeps what was copied into it as it was, whatever is taken after it and whatever becomes of the source', () => {
  const lengths = fc.array(fc.oneof(fc.nat(50), fc.nat(SLAB_SHARE_BYTES_MAX)), { maxLength: 100 });
  fc.assert(
    fc.property(lengths, fc.nat(7), (all, offset) => {
      const slabs = new ByteSlabs();
      const kept = all.map((length, index) => {
        const source = new Uint8Array(length + 2 * offset).fill(index + 1, offset, offset + length);
        const at = slabs.take(length);
        copyBytes(source, offset, offset + length, slabs.slab, at);
        source.fill(255);
        return slabs.slab.subarray(at, at + length);
      });
      for (const [index, bytes] of kept.entries()) {
        expect(Buffer.compare(bytes, new Uint8Array(all[index]!).fill(index + 1))).toBe(0);
      }
    }),
    { numRuns: 50 },
  );
});
