import { seededRandom } from '@larder/base';
import { expect, it } from 'vitest';
import { PlacementPairs } from './placement-pairs.js';

it('placement pairs find the partition that a look at each finds, however often partitions are turned', () => {
  const random = seededRandom(7);
  const [nodes, partitions] = [5, 60];
  const owners = Int16Array.from({ length: partitions }, () => random.integer(nodes));
  const successors = owners.map((owner) => (owner + 1 + random.integer(nodes - 1)) % nodes);
  const pairs = new PlacementPairs(nodes, owners, successors);
  for (let turn = 0; turn < 200; turn++) {
    const gains = Array.from({ length: nodes * nodes }, () => random.integer(4));
    const gainOf = (owner: number, successor: number): number => gains[owner * nodes + successor]!;
    const each = Array.from(owners, (owner, partition) => gainOf(owner, successors[partition]!));
    const highest = Math.max(...each);
    const best = pairs.best(gainOf);
    expect(best).toBe(highest === 0 ? -1 : each.indexOf(highest));
    if (best < 0) continue;
    [owners[best], successors[best]] = [successors[best]!, owners[best]!];
    pairs.turned(owners[best], successors[best]);
  }
});
