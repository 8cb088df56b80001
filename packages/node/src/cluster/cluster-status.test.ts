import { describe, expect, it } from 'vitest';
import { clusterStatus } from './cluster-status.js';
import { sampleMember, samplePlacement, sampleView } from './sample-view.js';

const source = {
  self: sampleMember('a'),
  plan: [
    { owner: 'a', successor: 'b' },
    { owner: 'a', successor: 'b' },
    { owner: 'c', successor: 'a' },
  ],
  silentMs: (id: string) => (id === 'b' ? 1_234.5 : 7),
  serves: (partition: number) => partition === 0,
};

describe('cluster status', () => {
  it('says nothing of a cluster that the node is not in yet', () => {
    const status = clusterStatus({ ...source, view: undefined, plan: [] });
    expect(status).toMatchObject({ nodeId: 'a', cluster: '', viewVersion: 0, members: [], served: [] });
    expect(Object.values(status.partitions)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('counts partitions by their state, and what each member holds', () => {
    const partitions = [
      samplePlacement({ successor: 'b', successorCopy: 2 }),
      samplePlacement({ ownerCopy: 3, learner: 'b', learnerCopy: 4, wait: 2, lost: 2 }),
      samplePlacement({ ownerCopy: 5, successor: 'b', successorCopy: 6, lost: 1 }),
    ];
    const status = clusterStatus({ ...source, view: sampleView({ partitions }) });
    expect(status.partitions).toEqual({
      replicated: 2,
      underReplicated: 1,
      moving: 1,
      waiting: 1,
      misplaced: 2,
      lost: 3,
      lostPartitions: 2,
    });
    expect(status.served).toEqual([{ partition: 0, epoch: 5 }]);
    expect(
      status.members.map(({ id, silentMs, owned, succeeded, learned }) => [id, silentMs, owned, succeeded, learned]),
    ).toEqual([
      ['a', 0, 3, 0, 0],
      ['b', 1_235, 0, 2, 1],
      ['c', 7, 0, 0, 0],
    ]);
  });

  it('calls nothing under-replicated where one copy is wanted', () => {
    const view = sampleView();
    const config = { ...view.config, copies: 1 } as const;
    expect(clusterStatus({ ...source, view: { ...view, config } }).partitions.underReplicated).toBe(0);
  });
});
