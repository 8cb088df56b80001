import { expect, test } from 'vitest';
import { OwnerWatch } from './owner-watch.js';

const sighting = (node: string, askedMs: number, answeredMs: number, epoch: number, partition = 7) => ({
  node,
  incarnation: `${node}-1`,
  askedMs,
  answeredMs,
  served: [{ partition, epoch }],
});

test('an owner that changes, and changes back, is no double owner', () => {
  const watch = new OwnerWatch();
  watch.add(sighting('n1', 0, 5, 1));
  watch.add(sighting('n1', 10, 15, 1));
  watch.add(sighting('n2', 20, 25, 2));
  watch.add(sighting('n1', 30, 35, 3));
  watch.add(sighting('n2', 40, 45, 9, 8));
  expect(watch.found).toEqual([]);
});

test('a node that serves under an old epoch after another has served under a new one is found', () => {
  const watch = new OwnerWatch();
  watch.add(sighting('n1', 0, 5, 1));
  watch.add(sighting('n2', 20, 25, 2));
  watch.add(sighting('n1', 26, 30, 1));
  expect(watch.found).toEqual([{ partition: 7, nodes: ['n2', 'n1'], epochs: [2, 1] }]);
});

test('answers that overlap prove nothing, because either may have come first', () => {
  const watch = new OwnerWatch();
  watch.add(sighting('n2', 20, 25, 2));
  watch.add(sighting('n1', 18, 30, 1));
  watch.add(sighting('n1', 25, 31, 1));
  expect(watch.found).toEqual([]);
});

test('two nodes that serve under one epoch are found, whenever they were asked', () => {
  const watch = new OwnerWatch();
  watch.add(sighting('n1', 0, 5, 4));
  watch.add(sighting('n2', 0, 5, 4));
  expect(watch.found).toEqual([{ partition: 7, nodes: ['n1', 'n2'], epochs: [4, 4] }]);
});

test('a restarted node under the epoch of its old self is found: it has another copy', () => {
  const watch = new OwnerWatch();
  watch.add(sighting('n1', 0, 5, 4));
  watch.add({ ...sighting('n1', 10, 15, 4), incarnation: 'n1-2' });
  expect(watch.found).toHaveLength(1);
});
