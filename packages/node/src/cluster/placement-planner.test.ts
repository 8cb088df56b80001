import { describe, expect, it } from 'vitest';
import { type PlannedPlace, planPlacements } from './placement-planner.js';
import { sampleMember, samplePlacement, sampleView } from './sample-view.js';
import type { PartitionPlacement, ViewDocument, ViewMember } from './view-document.js';

const PARTITIONS = 1_024;

/** A cluster whose plans come true. */
class Planned {
  view: ViewDocument;
  /** Copies that had to be filled. */
  moved = 0;

  constructor(first: ViewMember, options: Partial<ViewDocument> = {}, partitionCount = PARTITIONS) {
    const partitions = Array.from({ length: partitionCount }, () => samplePlacement({ owner: first.id }));
    this.view = sampleView({ members: [first], partitions, ...options });
  }

  static of(count: number, member = (index: number) => sampleMember(`node-${index}`)): Planned {
    const planned = new Planned(member(0));
    for (let index = 1; index < count; index++) planned.join(member(index));
    return planned;
  }

  join(member: ViewMember): this {
    return this.members([...this.view.members, member]);
  }

  leave(id: string): this {
    return this.members(this.view.members.filter((member) => member.id !== id));
  }

  members(members: readonly ViewMember[]): this {
    this.view = { ...this.view, members };
    const plan = planPlacements(this.view);
    const partitions = this.view.partitions.map((before, partition) => this.#at(before, plan[partition]!));
    this.view = { ...this.view, partitions };
    return this;
  }

  #at(before: PartitionPlacement, { owner, successor }: PlannedPlace): PartitionPlacement {
    for (const id of [owner, successor]) if (id !== '' && id !== before.owner && id !== before.successor) this.moved++;
    return { ...before, owner, successor };
  }

  /** The most that a node has of the mean. */
  heaviest(): { owners: number; copies: number } {
    const owners = new Map<string, number>();
    const copies = new Map<string, number>();
    for (const { owner, successor } of this.view.partitions) {
      owners.set(owner, (owners.get(owner) ?? 0) + 1);
      for (const id of [owner, successor]) copies.set(id, (copies.get(id) ?? 0) + 1);
    }
    const mean = this.view.partitions.length / this.view.members.length;
    return { owners: Math.max(...owners.values()) / mean, copies: Math.max(...copies.values()) / (2 * mean) };
  }
}

describe('placement planner', () => {
  it.each([2, 3, 5, 10, 50])('loads the heaviest of %i nodes with at most 1.15 of the mean', (count) => {
    const { owners, copies } = Planned.of(count).heaviest();
    expect(owners).toBeLessThanOrEqual(1.15);
    expect(copies).toBeLessThanOrEqual(1.15);
  });

  it.each([3, 4, 9, 10, 50, 100])(
    'fills no more than a node is due when it joins %i others, or leaves them',
    (count) => {
      const planned = Planned.of(count);
      planned.moved = 0;
      planned.join(sampleMember('late'));
      const share = (2 * PARTITIONS) / (count + 1);
      expect(planned.moved).toBeGreaterThan(0.8 * share);
      expect(planned.moved).toBeLessThanOrEqual(Math.ceil(share));
      planned.moved = 0;
      planned.leave('late');
      expect(planned.moved).toBeLessThanOrEqual(1.02 * share);
      expect(planned.heaviest().copies).toBeLessThanOrEqual(1.15);
      expect(planned.heaviest().owners).toBeLessThanOrEqual(1.15);
    },
  );

  it('moves nothing for a node that is away for a moment, but what it had', () => {
    const planned = Planned.of(5);
    const away = planned.view.members[2]!;
    const had = planned.view.partitions.filter(({ owner, successor }) => [owner, successor].includes(away.id)).length;
    // Its successors have taken over; it is back with nothing.
    const partitions = planned.view.partitions.map((placement) => {
      if (placement.successor === away.id) return { ...placement, successor: '' };
      return placement.owner === away.id ? { ...placement, owner: placement.successor, successor: '' } : placement;
    });
    planned.view = { ...planned.view, partitions };
    planned.moved = 0;
    planned.members(planned.view.members);
    expect(planned.moved).toBe(had);
    expect(planned.heaviest().owners).toBeLessThanOrEqual(1.15);
  });

  it('plans the same again while what it planned is under way', () => {
    const planned = Planned.of(4);
    const members = [...planned.view.members, sampleMember('late')];
    const before = planned.view.partitions;
    const plan = planPlacements({ ...planned.view, members });
    for (const every of [1, 2, 3, 7]) {
      const partitions = before.map((placement, partition) => {
        const { owner, successor } = plan[partition]!;
        const wanted = [owner, successor].find((id) => id !== placement.owner && id !== placement.successor);
        return wanted !== undefined && partition % every === 0 ? { ...placement, learner: wanted } : placement;
      });
      expect(planPlacements({ ...planned.view, members, partitions })).toEqual(plan);
    }
  });

  it('puts owner and successor in different zones where there are two, and moves them apart', () => {
    const zoned = (index: number, zone: string) => sampleMember(`node-${index}`, { zone });
    const planned = Planned.of(6, (index) => zoned(index, index < 3 ? 'east' : 'west'));
    const zones = new Map(planned.view.members.map(({ id, zone }) => [id, zone]));
    const expectApart = (): void => {
      for (const { owner, successor } of planned.view.partitions) {
        expect(zones.get(owner)).not.toBe(zones.get(successor));
      }
      expect(planned.heaviest().copies).toBeLessThanOrEqual(1.15);
      expect(planned.heaviest().owners).toBeLessThanOrEqual(1.15);
    };
    expectApart();
    planned.join(zoned(6, 'south')).join(zoned(7, 'south'));
    zones.set('node-6', 'south').set('node-7', 'south');
    expectApart();
  });

  it('gives a zone of one node a copy of everything', () => {
    const planned = Planned.of(4, (index) => sampleMember(`node-${index}`, { zone: index === 0 ? 'east' : 'west' }));
    const held = planned.view.partitions.filter(({ owner, successor }) => [owner, successor].includes('node-0'));
    expect(held).toHaveLength(PARTITIONS);
    expect(planned.view.partitions.filter(({ owner }) => owner === 'node-0').length).toBeLessThan(300);
  });

  it('gives twice the weight twice the partitions', () => {
    const planned = Planned.of(4, (index) => sampleMember(`node-${index}`, { weight: index === 0 ? 2 : 1 }));
    const heavy = planned.view.partitions.filter(({ owner }) => owner === 'node-0').length;
    expect(heavy / (PARTITIONS / 5)).toBeGreaterThan(1.8);
    expect(heavy / (PARTITIONS / 5)).toBeLessThan(2.2);
  });

  it('plans nothing for nodes that drain, and no successor for a single one', () => {
    const planned = Planned.of(2);
    const [stays, goes] = planned.view.members as [ViewMember, ViewMember];
    planned.members([stays, { ...goes, draining: true }]);
    expect(new Set(planned.view.partitions.map(({ owner, successor }) => `${owner} ${successor}`))).toEqual(
      new Set(['node-0 ']),
    );
    expect(planPlacements({ ...planned.view, members: [{ ...goes, draining: true }] })).toEqual([]);
  });

  it('spreads single copies where one is wanted', () => {
    const config = { ...sampleView().config, copies: 1 } as const;
    const planned = new Planned(sampleMember('node-0'), { config });
    for (const id of ['node-1', 'node-2', 'node-3']) planned.join(sampleMember(id));
    expect(planned.view.partitions.every(({ successor }) => successor === '')).toBe(true);
    expect(planned.heaviest().owners).toBeLessThanOrEqual(1.15);
    expect(planned.moved).toBeLessThanOrEqual(PARTITIONS * (1 / 2 + 1 / 3 + 1 / 4));
  });

  it('plans for few partitions and many nodes', () => {
    const planned = new Planned(sampleMember('node-0'), {}, 2);
    for (let index = 1; index < 7; index++) planned.join(sampleMember(`node-${index}`));
    expect(new Set(planned.view.partitions.flatMap(({ owner, successor }) => [owner, successor])).size).toBe(4);
  });
});
