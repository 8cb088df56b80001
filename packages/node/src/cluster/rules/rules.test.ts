import { describe, expect, it } from 'vitest';
import { MemoryEntries } from '../../replication/memory-entries.js';
import { RequestLog } from '../../replication/request-log.js';
import { RequestTable } from '../../replication/request-table.js';
import { HeldCopy } from '../held-copy.js';
import { ALL_RULES } from '../protocol-rules.js';
import { sampleMember, samplePlacement, sampleView } from '../sample-view.js';
import { LAN_TIMERS } from '../timers.js';
import type { PartitionPlacement, ViewDocument, ViewMember } from '../view-document.js';
import { ViewDraft } from '../view-draft.js';
import { applyJoin, applyLeave, applyLost, applyRemovals } from './membership-rules.js';
import { applyOwnerRules, gatheringMs } from './owner-rules.js';
import type { RuleContext } from './rule-context.js';
import { applySuccessorRules, promotedWait } from './successor-rules.js';

interface CopyFacts {
  readonly phase: HeldCopy['phase'];
  readonly id?: number;
  readonly waitUntilMs?: number;
  readonly pending?: number;
  readonly unackedSinceMs?: number;
  readonly caughtUp?: boolean;
  /** A statement is under way. */
  readonly busy?: boolean;
}

const NOW_MS = 100_000;

/** Node a's view of a cluster of a, b and c with one partition. */
function contextOf(
  placement: Partial<PartitionPlacement>,
  copy: CopyFacts,
  given: Partial<RuleContext> = {},
): RuleContext {
  const {
    phase,
    id = 1,
    waitUntilMs = 0,
    pending = 0,
    unackedSinceMs = Number.POSITIVE_INFINITY,
    caughtUp = false,
    busy = false,
  } = copy;
  const window = { length: pending };
  const replicator = {
    window,
    idle: pending === 0 && !busy,
    oldestUnackedMs: () => unackedSinceMs,
    caughtUp: () => caughtUp,
  };
  const held = new HeldCopy(0, id, new MemoryEntries(), new RequestLog(new RequestTable(1)), true);
  Object.assign(held, { phase, waitUntilMs, replicator });
  return {
    self: sampleMember('a'),
    draft: new ViewDraft(sampleView({ partitions: [samplePlacement(placement)] })),
    timers: LAN_TIMERS,
    rules: ALL_RULES,
    copies: new Map([[0, held]]),
    plan: [{ owner: 'a', successor: 'b' }],
    nowMs: NOW_MS,
    isTurn: true,
    isMoveTurn: true,
    draining: false,
    placesEmpty: false,
    isHeardElsewhere: () => false,
    heardVersion: () => Number.POSITIVE_INFINITY,
    silentMs: () => 0,
    outOfTouchMs: () => 0,
    unansweredMs: () => 0,
    ageMs: (sinceMs) => NOW_MS - sinceMs,
    isOpen: () => false,
    ...given,
  };
}

function after(rule: (context: RuleContext) => void, context: RuleContext): PartitionPlacement {
  rule(context);
  return context.draft.partition(0);
}

const withB = { successor: 'b', successorCopy: 2 };
const learnsB = { learner: 'b', learnerCopy: 3 };

describe('rules of an owner', () => {
  it('R1: takes the planned node as learner, under a new copy id', () => {
    const { learner, learnerCopy, epoch } = after(applyOwnerRules, contextOf({}, { phase: 'owner' }));
    expect({ learner, learnerCopy, epoch }).toEqual({ learner: 'b', learnerCopy: 100, epoch: 5 });
  });

  it('R1: takes no learner while a wait is owed', () => {
    for (const noLearnerWhileOwed of [true, false]) {
      const rules = { ...ALL_RULES, noLearnerWhileOwed };
      const context = contextOf({ wait: 2 }, { phase: 'owner', waitUntilMs: NOW_MS + 1 }, { rules });
      expect(after(applyOwnerRules, context).learner).toBe(noLearnerWhileOwed ? '' : 'b');
    }
  });

  it('R1: takes no learner that does not answer, and lets one go', () => {
    const unansweredMs = (id: string): number => (id === 'b' ? 700 : 0);
    expect(after(applyOwnerRules, contextOf({}, { phase: 'owner' }, { unansweredMs })).learner).toBe('');
    expect(after(applyOwnerRules, contextOf(learnsB, { phase: 'owner' }, { unansweredMs })).learner).toBe('');
  });

  describe('R1, while the planned node does not answer', () => {
    const away = (forMs: number) => ({ unansweredMs: (id: string): number => (id === 'b' ? forMs : 0) });

    it('takes another that does, after half the time in which the dead are given up', () => {
      expect(after(applyOwnerRules, contextOf({}, { phase: 'owner' }, away(2_999))).learner).toBe('');
      expect(after(applyOwnerRules, contextOf({}, { phase: 'owner' }, away(3_000))).learner).toBe('c');
    });

    it('fills it without a break, and takes the planned one again when that answers', () => {
      const learnsC = { learner: 'c', learnerCopy: 3 };
      expect(after(applyOwnerRules, contextOf(learnsC, { phase: 'owner' }, away(5_000)))).toMatchObject(learnsC);
      const withC = { successor: 'c', successorCopy: 3 };
      expect(after(applyOwnerRules, contextOf(withC, { phase: 'owner' }, away(5_000)))).toMatchObject({
        ...withC,
        learner: '',
      });
      expect(after(applyOwnerRules, contextOf(withC, { phase: 'owner' }, away(100)))).toMatchObject({
        ...withC,
        learner: 'b',
      });
    });

    it('takes nobody if nobody else answers or stays, or one copy is wanted', () => {
      const alone = { unansweredMs: () => 5_000 };
      expect(after(applyOwnerRules, contextOf({}, { phase: 'owner' }, alone)).learner).toBe('');
      const draft = (change: Partial<ViewDocument>) =>
        new ViewDraft(sampleView({ partitions: [samplePlacement({})], ...change }));
      const leaving = sampleView({}).members.map((member) => ({ ...member, draining: member.id === 'c' }));
      const context = contextOf({}, { phase: 'owner' }, { ...away(5_000), draft: draft({ members: leaving }) });
      expect(after(applyOwnerRules, context).learner).toBe('');
      const config = { ...sampleView({}).config, copies: 1 as const };
      const single = contextOf({}, { phase: 'owner' }, { ...away(5_000), draft: draft({ config }) });
      expect(after(applyOwnerRules, single).learner).toBe('');
    });

    it('rather takes one of another zone', () => {
      for (const other of ['c', 'd']) {
        const members = ['a', 'b', 'c', 'd'].map((id) => sampleMember(id, { zone: id === other ? 'west' : 'east' }));
        const draft = new ViewDraft(sampleView({ members }));
        expect(after(applyOwnerRules, contextOf({}, { phase: 'owner' }, { ...away(5_000), draft })).learner).toBe(
          other,
        );
      }
    });
  });

  it('R2: makes a learner that has everything the successor', () => {
    const next = after(applyOwnerRules, contextOf(learnsB, { phase: 'owner', caughtUp: true }));
    expect(next).toMatchObject({ successor: 'b', successorCopy: 3, learner: '', epoch: 6 });
    expect(after(applyOwnerRules, contextOf(learnsB, { phase: 'owner' })).successor).toBe('');
  });

  it('R3: drops a successor that does not answer, or does not acknowledge', () => {
    const silent = contextOf(withB, { phase: 'owner' }, { unansweredMs: () => 700 });
    expect(after(applyOwnerRules, silent)).toMatchObject({ successor: '', epoch: 6 });
    const stuck = contextOf(withB, { phase: 'owner', pending: 1, unackedSinceMs: NOW_MS - 700 });
    expect(after(applyOwnerRules, stuck).successor).toBe('');
    const fine = contextOf(withB, { phase: 'owner', pending: 1, unackedSinceMs: NOW_MS - 699 });
    expect(after(applyOwnerRules, fine).successor).toBe('b');
  });

  it('R4: hands over to the planned owner, and stands still until nothing is pending or under way', () => {
    const plan = [{ owner: 'b', successor: 'c' }];
    const busy = contextOf(withB, { phase: 'owner', pending: 1 }, { plan });
    expect(after(applyOwnerRules, busy).owner).toBe('a');
    expect(busy.copies.get(0)!.frozenMs).toBe(NOW_MS);
    const held = contextOf(withB, { phase: 'owner', busy: true }, { plan });
    expect(after(applyOwnerRules, held).owner).toBe('a');
    const quiet = contextOf(withB, { phase: 'owner' }, { plan });
    expect(after(applyOwnerRules, quiet)).toMatchObject({
      owner: 'b',
      ownerCopy: 2,
      successor: 'a',
      successorCopy: 1,
      origin: 'handed-over',
      epoch: 6,
    });
  });

  it('R4: tries again later where statements are slow, but not when the node leaves', () => {
    const plan = [{ owner: 'b', successor: 'c' }];
    for (const draining of [false, true]) {
      const context = contextOf(withB, { phase: 'owner', busy: true }, { plan, draining });
      context.copies.get(0)!.freeze(NOW_MS - 701);
      applyOwnerRules(context);
      expect(context.copies.get(0)!.frozenMs).toBeUndefined();
      expect(context.copies.get(0)!.handOverAfterMs).toBe(NOW_MS + (draining ? 1_000 : 10_000));
    }
  });

  it('R4: gives a hand-over up that takes too long, unless it may have happened already', () => {
    const plan = [{ owner: 'b', successor: 'c' }];
    for (const open of [false, true]) {
      const context = contextOf(withB, { phase: 'owner', pending: 1 }, { plan, isOpen: () => open });
      context.copies.get(0)!.freeze(NOW_MS - 701);
      applyOwnerRules(context);
      expect(context.copies.get(0)!.frozenMs === undefined).toBe(!open);
    }
  });

  describe('while it is not the turn of the node', () => {
    const plan = [{ owner: 'b', successor: 'c' }];
    const notNow = { isTurn: false, isMoveTurn: false, plan };

    it('R4: nothing begins to stand still', () => {
      const context = contextOf(withB, { phase: 'owner' }, notNow);
      expect(after(applyOwnerRules, context).owner).toBe('a');
      expect(context.copies.get(0)!.frozenMs).toBeUndefined();
    });

    it('R4: what stands still already is handed over as soon as it is quiet', () => {
      const context = contextOf(withB, { phase: 'owner' }, notNow);
      context.copies.get(0)!.freeze(NOW_MS - 50);
      expect(after(applyOwnerRules, context).owner).toBe('b');
    });

    it('R4: what was proposed in vain is served again, unless it may have happened already', () => {
      for (const open of [false, true]) {
        const context = contextOf(withB, { phase: 'owner' }, { ...notNow, isOpen: () => open });
        const copy = context.copies.get(0)!;
        copy.freeze(NOW_MS - 50);
        copy.offeredVersion = context.draft.base.version - 1;
        expect(after(applyOwnerRules, context).owner).toBe('a');
        expect(copy.frozenMs === undefined).toBe(!open);
      }
    });

    it('R1, R2: a partition with two copies gets no other', () => {
      const moving = { successor: 'c', successorCopy: 2, ...learnsB };
      const given = { isTurn: false, isMoveTurn: false };
      expect(after(applyOwnerRules, contextOf(moving, { phase: 'owner', caughtUp: true }, given)).successor).toBe('c');
      const placed = { successor: 'c', successorCopy: 2 };
      expect(after(applyOwnerRules, contextOf(placed, { phase: 'owner' }, given)).learner).toBe('');
      expect(after(applyOwnerRules, contextOf(placed, { phase: 'owner' })).learner).toBe('b');
    });

    it('R1, R2: one with a single copy does not wait', () => {
      const given = { isTurn: false, isMoveTurn: false };
      expect(after(applyOwnerRules, contextOf({}, { phase: 'owner' }, given)).learner).toBe('b');
      expect(after(applyOwnerRules, contextOf(learnsB, { phase: 'owner', caughtUp: true }, given)).successor).toBe('b');
    });
  });

  describe('between the turns for moves', () => {
    const pacing = { isTurn: true, isMoveTurn: false };
    const members = ['a', 'b', 'c'].map((id) => sampleMember(id, { draining: id === 'c' }));
    const draftWith = (placement: Partial<PartitionPlacement>): ViewDraft =>
      new ViewDraft(sampleView({ members, partitions: [samplePlacement(placement)] }));

    it('R1, R4: balance alone changes nothing', () => {
      const plan = [{ owner: 'b', successor: 'a' }];
      expect(after(applyOwnerRules, contextOf(withB, { phase: 'owner' }, { ...pacing, plan })).owner).toBe('a');
      const other = [{ owner: 'a', successor: 'c' }];
      expect(after(applyOwnerRules, contextOf(withB, { phase: 'owner' }, { ...pacing, plan: other })).learner).toBe('');
    });

    it('R4: a node that leaves hands over', () => {
      const context = contextOf(withB, { phase: 'owner' }, { ...pacing, draining: true });
      expect(after(applyOwnerRules, context).owner).toBe('b');
    });

    it('R1, R2: a copy on a node that leaves is replaced', () => {
      const withC = { successor: 'c', successorCopy: 2 };
      const lacking = contextOf({}, { phase: 'owner' }, { ...pacing, draft: draftWith(withC) });
      expect(after(applyOwnerRules, lacking).learner).toBe('b');
      const filled = { ...pacing, draft: draftWith({ ...withC, ...learnsB }) };
      expect(after(applyOwnerRules, contextOf({}, { phase: 'owner', caughtUp: true }, filled)).successor).toBe('b');
    });
  });

  it('R1: what moves at one time for the sake of balance is bounded by what it costs', () => {
    const count = 200;
    const given = contextOf(withB, { phase: 'owner' });
    const numbers = Array.from({ length: count }, (_, number) => number);
    const copies = numbers.map((number) => {
      const copy = new HeldCopy(number, 1, new MemoryEntries(), new RequestLog(new RequestTable(1)), true);
      return Object.assign(copy, { phase: 'owner', replicator: given.copies.get(0)!.replicator });
    });
    const begun = (placement: Partial<PartitionPlacement>): number => {
      const draft = new ViewDraft(sampleView({ partitions: numbers.map(() => samplePlacement(placement)) }));
      const plan = numbers.map(() => ({ owner: 'a', successor: 'c' }));
      applyOwnerRules({ ...given, draft, plan, copies: new Map(copies.entries()) });
      return numbers.filter((number) => draft.partition(number).learner === 'c').length;
    };
    expect(begun(withB)).toBe(Math.ceil(8_192 / 56));
    expect(begun({})).toBe(count);
  });

  it('R4: those that stand still wait a moment for what is under way in others, and then go without them', () => {
    const plan = [{ owner: 'b', successor: 'c' }];
    const context = contextOf(withB, { phase: 'owner', pending: 1 }, { plan });
    applyOwnerRules(context);
    expect(gatheringMs(context)).toBe(30);
    expect(gatheringMs({ ...context, nowMs: NOW_MS + 29.999 })).toBe(1);
    expect(gatheringMs({ ...context, nowMs: NOW_MS + 31 })).toBeLessThanOrEqual(0);
    const [late, ready] = [context, contextOf(withB, { phase: 'owner' }, { plan })].map(({ copies }) => copies.get(0)!);
    Object.assign(ready!, { partition: 1 });
    const partitions = [samplePlacement(withB), samplePlacement({ ...withB, ownerCopy: 3, successorCopy: 4 })];
    const copies = new Map([late!, ready!].map((copy) => [copy.partition, copy]));
    const draft = new ViewDraft(sampleView({ partitions }));
    const both = { ...context, plan: [...plan, ...plan], copies, draft, nowMs: NOW_MS + 30 };
    Object.assign(ready!, { id: 3 });
    applyOwnerRules(both);
    expect(both.draft.partition(1).owner).toBe('b');
    expect([late!.frozenMs, ready!.frozenMs]).toEqual([undefined, NOW_MS + 30]);
  });

  it('R8: ends a wait that is over', () => {
    expect(after(applyOwnerRules, contextOf({ wait: 1 }, { phase: 'owner', waitUntilMs: NOW_MS })).wait).toBe(0);
    expect(after(applyOwnerRules, contextOf({ wait: 1 }, { phase: 'owner', waitUntilMs: NOW_MS + 1 })).wait).toBe(1);
  });
});

describe('rules of a successor', () => {
  const following = { owner: 'b', ownerCopy: 2, successor: 'a', successorCopy: 1 };

  it('R5: takes over from an owner that was out of touch for as long as any lease can last', () => {
    const silent = contextOf(following, { phase: 'successor' }, { outOfTouchMs: () => 1_050 });
    expect(after(applySuccessorRules, silent)).toMatchObject({
      owner: 'a',
      ownerCopy: 1,
      successor: '',
      origin: 'promoted',
      wait: 1,
      epoch: 6,
    });
    expect(
      after(applySuccessorRules, contextOf(following, { phase: 'successor' }, { outOfTouchMs: () => 1_049 })).owner,
    ).toBe('b');
  });

  it('R5: is not for a copy that the view does not name, nor for a learner', () => {
    const given = { outOfTouchMs: () => 9_999 };
    expect(after(applySuccessorRules, contextOf(following, { phase: 'successor', id: 77 }, given)).owner).toBe('b');
    expect(after(applySuccessorRules, contextOf(following, { phase: 'learner' }, given)).owner).toBe('b');
  });

  it('R5: inherits a wait that was owed, and owes a whole one', () => {
    expect([0, 1, 2, 3].map((wait) => promotedWait(wait as 0, true))).toEqual([1, 2, 2, 3]);
    expect([0, 1, 2, 3].map((wait) => promotedWait(wait as 0, false))).toEqual([1, 1, 1, 1]);
  });
});

describe('rules of membership', () => {
  const reborn: ViewMember = sampleMember('a', { incarnation: 'ab'.repeat(16) });
  const joined = (placement: Partial<PartitionPlacement>, inheritedWait = true): PartitionPlacement => {
    const draft = new ViewDraft(sampleView({ partitions: [samplePlacement(placement)] }));
    applyJoin(draft, reborn, { ...ALL_RULES, inheritedWait });
    expect(draft.member('a')).toEqual(reborn);
    return draft.partition(0);
  };

  it('R6: promotes the successors of the old self', () => {
    expect(joined(withB)).toMatchObject({ owner: 'b', ownerCopy: 2, successor: '', wait: 1, epoch: 6, lost: 0 });
  });

  it('R6: begins empty where the old self had the only copy, and counts the loss', () => {
    expect(joined({})).toMatchObject({ owner: 'a', ownerCopy: 100, origin: 'fresh', wait: 0, epoch: 6, lost: 1 });
  });

  it('R6: goes on owing what the old self owed', () => {
    expect(joined({ wait: 1 }).wait).toBe(2);
    expect(joined({ wait: 3 }).wait).toBe(3);
    expect(joined({ wait: 1 }, false).wait).toBe(1);
  });

  it('R6: leaves others without the old self', () => {
    const owned = { owner: 'b', ownerCopy: 2 };
    expect(joined({ ...owned, successor: 'a', successorCopy: 1 })).toMatchObject({ successor: '', epoch: 6 });
    expect(joined({ ...owned, learner: 'a', learnerCopy: 1 })).toMatchObject({ learner: '', epoch: 5 });
  });

  it('R7: begins empty, after the view lease, what both holders have left', () => {
    const placement = { owner: 'b', ownerCopy: 2, successor: 'c', successorCopy: 3 };
    const silentMs = (id: string): number => (id === 'a' ? 0 : 6_000);
    const gone = contextOf(placement, { phase: 'learner' }, { silentMs });
    expect(after(applyLost, gone)).toMatchObject({ owner: 'a', origin: 'fresh', wait: 3, lost: 1, successor: '' });
    const half = contextOf(placement, { phase: 'learner' }, { silentMs: (id) => (id === 'b' ? 6_000 : 0) });
    expect(after(applyLost, half).owner).toBe('b');
  });

  it('R7: takes nothing of which one holder may be heard by another node', () => {
    const placement = { owner: 'b', ownerCopy: 2, successor: 'c', successorCopy: 3 };
    const silentMs = (id: string): number => (id === 'a' ? 0 : 6_000);
    for (const hearsay of [true, false]) {
      for (const witnessed of ['b', 'c']) {
        const given = {
          silentMs,
          isHeardElsewhere: (id: string) => id === witnessed,
          rules: { ...ALL_RULES, hearsay },
        };
        expect(after(applyLost, contextOf(placement, { phase: 'learner' }, given)).owner).toBe(hearsay ? 'b' : 'a');
      }
    }
  });

  it('R7: is off where the view lease has no end', () => {
    const timers = { ...LAN_TIMERS, viewLeaseMs: Number.POSITIVE_INFINITY };
    const gone = contextOf({ owner: 'b', ownerCopy: 2 }, { phase: 'learner' }, { timers, silentMs: () => 60_000 });
    expect(after(applyLost, gone).owner).toBe('b');
  });

  it('R7: waits for a node of a lower id that can be heard', () => {
    const placement = { owner: 'a', ownerCopy: 2 };
    const heard = { self: sampleMember('c'), silentMs: (id: string) => (id === 'a' ? 6_000 : 0) };
    expect(after(applyLost, contextOf(placement, { phase: 'learner' }, heard)).owner).toBe('a');
    const alone = { self: sampleMember('c'), silentMs: (id: string) => (id === 'c' ? 0 : 6_000) };
    expect(after(applyLost, contextOf(placement, { phase: 'learner' }, alone)).owner).toBe('c');
  });

  it('R9: removes a silent node that holds nothing', () => {
    const context = contextOf(withB, { phase: 'owner' }, { silentMs: (id) => (id === 'a' ? 0 : 6_000) });
    applyRemovals(context);
    expect(context.draft.members.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('R9: removes nobody whom another node may hear', () => {
    for (const hearsay of [true, false]) {
      const silentMs = (id: string): number => (id === 'a' ? 0 : 6_000);
      const rules = { ...ALL_RULES, hearsay };
      const context = contextOf(withB, { phase: 'owner' }, { silentMs, rules, isHeardElsewhere: () => true });
      applyRemovals(context);
      expect(context.draft.members.map(({ id }) => id)).toEqual(hearsay ? ['a', 'b', 'c'] : ['a', 'b']);
    }
  });

  it('leaves in two steps: says so, and goes when nothing is left', () => {
    const holding = contextOf({}, { phase: 'owner' }, { draining: true });
    applyLeave(holding);
    expect(holding.draft.member('a')!.draining).toBe(true);
    applyLeave(holding);
    expect(holding.draft.member('a')).toBeDefined();
    const empty = contextOf({ owner: 'b', ownerCopy: 2 }, { phase: 'learner' }, { draining: true });
    applyLeave(empty);
    applyLeave(empty);
    expect(empty.draft.member('a')).toBeUndefined();
  });
});
