import { describe, expect, it } from 'vitest';
import { sampleMember, samplePlacement, sampleView } from './sample-view.js';
import { ViewChanges } from './view-changes.js';
import type { PartitionPlacement, ViewDocument } from './view-document.js';

const base = sampleView({ partitions: [1, 2, 3].map((ownerCopy) => samplePlacement({ ownerCopy })) });

function changed(view: ViewDocument, partition: number, to: Partial<PartitionPlacement>): ViewDocument {
  const partitions = view.partitions.map((placement, at) => (at === partition ? { ...placement, ...to } : placement));
  return { ...view, version: view.version + 1, partitions };
}

describe('view changes', () => {
  it('are all partitions of the first view, and where a process came or went', () => {
    const all = [0, 1, 2];
    expect(new ViewChanges().next(base, undefined, [])).toEqual(all);
    const reborn = base.members.map((member) => ({ ...member, incarnation: 'cd'.repeat(16) }));
    expect(new ViewChanges().next({ ...base, members: reborn }, base, [])).toEqual(all);
    const joined = [...base.members, sampleMember('z')];
    expect(new ViewChanges().next({ ...base, members: joined }, base, [])).toEqual(all);
  });

  it('are else those that differ', () => {
    expect(new ViewChanges().next(changed(base, 1, { epoch: 9 }), base, [])).toEqual([1]);
    expect(new ViewChanges().next({ ...base, members: [...base.members] }, base, [])).toEqual([]);
  });

  it('are those of a proposal when it is made, and again when it has come to an end', () => {
    const changes = new ViewChanges();
    const proposal = changed(base, 2, { epoch: 9 });
    expect(changes.next(base, base, [proposal])).toEqual([2]);
    const next = changed(base, 0, { epoch: 7 });
    expect(changes.next(next, base, [])).toEqual([0, 2]);
    expect(changes.next(next, next, [])).toEqual([]);
  });
});
