import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { PARTITION_COUNT } from './limits.js';
import { ringPlacements } from './ring.js';

const nodes = (...ids: string[]) => ids.map((id) => ({ id }));
const owners = (...ids: string[]): string[] =>
  ringPlacements(nodes(...ids), PARTITION_COUNT).map((placement) => placement.owner);

function fingerprint(placements: ReturnType<typeof ringPlacements>): string {
  const text = placements.map(({ owner, successor }) => `${owner}/${successor ?? '-'}`).join(' ');
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

// Golden: nodes of two versions that place partitions differently would move all data about.
test.each([
  [['n1'], 'ebfda8e0889afba8'],
  [['n1', 'n2', 'n3'], '77c3a66474dbc48b'],
  [['a', 'b', 'c', 'd', 'e'], 'eed5a602249d11cf'],
])('the placements for %j never change', (ids, expected) => {
  expect(fingerprint(ringPlacements(nodes(...ids), PARTITION_COUNT))).toBe(expected);
});

test('the first places of three nodes never change', () => {
  expect(ringPlacements(nodes('n1', 'n2', 'n3'), 4)).toEqual([
    { owner: 'n3', successor: 'n2' },
    { owner: 'n2', successor: 'n1' },
    { owner: 'n1', successor: 'n2' },
    { owner: 'n2', successor: 'n1' },
  ]);
});

test('a weighted node gets its share', () => {
  const placements = ringPlacements([{ id: 'big', weight: 3 }, { id: 'small' }], PARTITION_COUNT);
  const big = placements.filter((placement) => placement.owner === 'big').length;
  expect(big / PARTITION_COUNT).toBeGreaterThan(0.65);
  expect(big / PARTITION_COUNT).toBeLessThan(0.85);
});

test('the order in which nodes are named does not matter', () => {
  expect(owners('n3', 'n1', 'n2')).toEqual(owners('n1', 'n2', 'n3'));
});

test('a partition has a successor that is not its owner, unless there is one node', () => {
  for (const { owner, successor } of ringPlacements(nodes('n1', 'n2', 'n3'), PARTITION_COUNT)) {
    expect(successor).not.toBe(owner);
    expect(['n1', 'n2', 'n3']).toContain(successor);
  }
  expect(ringPlacements(nodes('n1'), 2)).toEqual([
    { owner: 'n1', successor: undefined },
    { owner: 'n1', successor: undefined },
  ]);
  expect(ringPlacements([], 2)).toEqual([]);
});

test('a node that joins takes its share and nothing else moves', () => {
  const before = owners('n1', 'n2', 'n3');
  const after = owners('n1', 'n2', 'n3', 'n4');
  const moved = after.filter((owner, partition) => owner !== before[partition]);
  expect(new Set(moved)).toEqual(new Set(['n4']));
  expect(moved.length / PARTITION_COUNT).toBeGreaterThan(0.15);
  expect(moved.length / PARTITION_COUNT).toBeLessThan(0.35);
});
