import { beforeEach, describe, expect, it } from 'vitest';
import { KnownViews } from './known-views.js';
import { samplePlacement, sampleView } from './sample-view.js';
import { encodeView } from './view-codec.js';

const two = sampleView({ partitions: [samplePlacement({}), samplePlacement({ ownerCopy: 2 })] });

describe('known views', () => {
  let known: KnownViews;
  beforeEach(() => {
    known = new KnownViews();
  });

  it('are not read again when the same bytes come again', () => {
    const document = encodeView(two);
    expect(known.read(Buffer.from(document))).toBe(known.read(Buffer.from(document)));
  });

  it('are those that were written as well', () => {
    expect(known.read(Buffer.from(known.write(two)))).toBe(two);
  });

  it('do not depend on what becomes of the bytes', () => {
    const document = Buffer.from(encodeView({ ...two, version: two.version + 1 }));
    const view = known.read(document);
    document.fill(0);
    expect(known.read(encodeView(view))).toBe(view);
    expect(() => known.read(document)).toThrow('BAD_ARGUMENT');
  });

  it('share the partitions that one change has left as they were', () => {
    const before = known.read(encodeView(two));
    const changed = samplePlacement({ ownerCopy: 2, epoch: 6 });
    const after = known.read(
      encodeView({ ...two, version: two.version + 2, partitions: [two.partitions[0]!, changed] }),
    );
    expect(after.partitions[0]).toBe(before.partitions[0]);
    expect(after.partitions[1]).toEqual(changed);
  });

  it('share nothing with another cluster', () => {
    const before = known.read(encodeView(two));
    const other = known.read(encodeView({ ...two, cluster: 'ef'.repeat(16) }));
    expect(other.partitions[0]).not.toBe(before.partitions[0]);
  });

  it('keep the last four documents', () => {
    const documents = [1, 2, 3, 4, 5].map((ahead) => encodeView({ ...two, version: two.version + ahead }));
    const [first, ...others] = documents.map((document) => known.read(document));
    for (const [index, view] of others.entries()) expect(known.read(documents[index + 1]!)).toBe(view);
    expect(known.read(documents[0]!)).not.toBe(first);
  });
});
