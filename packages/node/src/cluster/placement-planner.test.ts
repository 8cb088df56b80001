import { describe, expect, it } from 'vitest';
import { planPlacements } from './placement-planner.js';
import { sampleMember } from './sample-view.js';

const PARTITIONS = 1_024;
const cluster = (count: number) => Array.from({ length: count }, (_, index) => sampleMember(`node-${index}`));

function loadsOf(count: number): { owners: number; copies: number } {
  const plan = planPlacements(cluster(count), PARTITIONS);
  const owners = new Map<string, number>();
  const copies = new Map<string, number>();
  for (const { owner, successor } of plan) {
    owners.set(owner, (owners.get(owner) ?? 0) + 1);
    for (const id of [owner, successor]) copies.set(id, (copies.get(id) ?? 0) + 1);
  }
  return {
    owners: Math.max(...owners.values()) / (PARTITIONS / count),
    copies: Math.max(...copies.values()) / ((2 * PARTITIONS) / count),
  };
}

function movedShare(before: number, after: number): { owners: number; copies: number } {
  const [old, now] = [planPlacements(cluster(before), PARTITIONS), planPlacements(cluster(after), PARTITIONS)];
  let owners = 0;
  let copies = 0;
  now.forEach(({ owner, successor }, partition) => {
    const held = [old[partition]!.owner, old[partition]!.successor];
    if (owner !== old[partition]!.owner) owners++;
    for (const id of [owner, successor]) if (!held.includes(id)) copies++;
  });
  return { owners: owners / PARTITIONS, copies: copies / (2 * PARTITIONS) };
}

describe('placement planner', () => {
  it.each([2, 3, 5, 10, 50])('loads the heaviest of %i nodes with at most 1.15 of the mean', (count) => {
    const { owners, copies } = loadsOf(count);
    expect(owners).toBeLessThanOrEqual(1.15);
    expect(copies).toBeLessThanOrEqual(1.15);
  });

  it.each([
    [3, 4],
    [4, 3],
    [9, 10],
    [10, 9],
  ])('moves little more than the share of the node when %i become %i', (before, after) => {
    const share = 1 / Math.max(before, after);
    const { owners, copies } = movedShare(before, after);
    expect(copies).toBeLessThanOrEqual(1.15 * share);
    expect(owners).toBeLessThanOrEqual(1.5 * share);
  });

  it('puts owner and successor in different zones where there are two', () => {
    const members = cluster(6).map((member, index) => ({ ...member, zone: index < 3 ? 'east' : 'west' }));
    const zones = new Map(members.map(({ id, zone }) => [id, zone]));
    for (const { owner, successor } of planPlacements(members, PARTITIONS)) {
      expect(zones.get(owner)).not.toBe(zones.get(successor));
    }
  });

  it('gives twice the weight twice the partitions', () => {
    const members = cluster(4).map((member, index) => ({ ...member, weight: index === 0 ? 2 : 1 }));
    const heavy = planPlacements(members, PARTITIONS).filter(({ owner }) => owner === 'node-0').length;
    expect(heavy / (PARTITIONS / 5)).toBeGreaterThan(1.8);
    expect(heavy / (PARTITIONS / 5)).toBeLessThan(2.3);
  });

  it('plans nothing for nodes that drain, and no successor for a single one', () => {
    const members = cluster(2).map((member, index) => ({ ...member, draining: index === 1 }));
    expect(new Set(planPlacements(members, 8).map((place) => place.owner))).toEqual(new Set(['node-0']));
    expect(planPlacements(members, 1)).toEqual([{ owner: 'node-0', successor: '' }]);
    expect(planPlacements([], 8)).toEqual([]);
  });
});
