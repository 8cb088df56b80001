import { describe, expect, it } from 'vitest';
import { readDocument, writeDocument } from './known-views.js';
import { samplePlacement, sampleView } from './sample-view.js';
import { encodeView } from './view-codec.js';

const two = sampleView({ partitions: [samplePlacement({}), samplePlacement({ ownerCopy: 2 })] });

describe('known views', () => {
  it('are not read again when the same bytes come again', () => {
    const document = encodeView(two);
    expect(readDocument(Buffer.from(document))).toBe(readDocument(Buffer.from(document)));
  });

  it('are those that were written as well', () => {
    expect(readDocument(Buffer.from(writeDocument(two)))).toBe(two);
  });

  it('do not depend on what becomes of the bytes', () => {
    const document = Buffer.from(encodeView({ ...two, version: two.version + 1 }));
    const view = readDocument(document);
    document.fill(0);
    expect(readDocument(encodeView(view))).toBe(view);
    expect(() => readDocument(document)).toThrow('BAD_ARGUMENT');
  });

  it('share the partitions that one change has left as they were', () => {
    const before = readDocument(encodeView(two));
    const changed = samplePlacement({ ownerCopy: 2, epoch: 6 });
    const after = readDocument(
      encodeView({ ...two, version: two.version + 2, partitions: [two.partitions[0]!, changed] }),
    );
    expect(after.partitions[0]).toBe(before.partitions[0]);
    expect(after.partitions[1]).toEqual(changed);
  });

  it('share nothing with another cluster', () => {
    const before = readDocument(encodeView(two));
    const other = readDocument(encodeView({ ...two, cluster: 'ef'.repeat(16) }));
    expect(other.partitions[0]).not.toBe(before.partitions[0]);
  });
});
