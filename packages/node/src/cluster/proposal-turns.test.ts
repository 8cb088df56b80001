import { beforeEach, describe, expect, it } from 'vitest';
import { ProposalTurns } from './proposal-turns.js';
import { sampleMember, samplePlacement, sampleView } from './sample-view.js';
import type { ViewDocument } from './view-document.js';

const OWNERS = ['a', 'b', 'c'];
const plan = OWNERS.map(() => ({ owner: 'd', successor: 'a' }));

function viewOf(version: number, owners = OWNERS): ViewDocument {
  return sampleView({
    version,
    members: ['a', 'b', 'c', 'd'].map((id) => sampleMember(id)),
    partitions: owners.map((owner, at) => samplePlacement({ owner, ownerCopy: at + 1 })),
  });
}

describe('proposal turns', () => {
  let turns: ProposalTurns;
  const whoMay = (nowMs: number): string[] => OWNERS.filter((id) => turns.waitMs(id, nowMs) === 0);

  beforeEach(() => {
    turns = new ProposalTurns();
    turns.installed(viewOf(3), plan, 1_000);
  });

  it('are had by one node at a time, and by each in a round', () => {
    const had = new Set<string>();
    for (let nowMs = 1_000; nowMs < 1_450; nowMs++) {
      expect(whoMay(nowMs).length).toBeLessThan(2);
      for (const id of whoMay(nowMs)) had.add(id);
    }
    expect([...had].sort()).toEqual(OWNERS);
  });

  it('begin with another node at the next view, and at once', () => {
    const first = [3, 4, 5].flatMap((version) => {
      turns.installed(viewOf(version), plan, 1_000);
      return whoMay(1_000);
    });
    expect(first.sort()).toEqual(OWNERS);
  });

  it('come after the wait that was named', () => {
    for (const id of OWNERS) {
      for (let nowMs = 1_000; nowMs < 2_000; nowMs += 7.3) {
        const waitMs = turns.waitMs(id, nowMs);
        expect(waitMs === 0 || waitMs >= 1).toBe(true);
        expect(turns.waitMs(id, nowMs + waitMs)).toBe(0);
      }
    }
  });

  it('are left out by moves for balance for a second after each view, and then come as before', () => {
    for (const id of OWNERS) {
      for (let nowMs = 1_000; nowMs < 3_000; nowMs += 7.3) {
        const waitMs = turns.moveWaitMs(id, nowMs);
        expect(waitMs).toBeGreaterThanOrEqual(turns.waitMs(id, nowMs));
        if (waitMs === 0) expect([turns.waitMs(id, nowMs), nowMs >= 2_000]).toEqual([0, true]);
        expect(turns.moveWaitMs(id, nowMs + waitMs)).toBe(0);
      }
    }
  });

  it('are only for those who have something to move', () => {
    turns.installed(viewOf(3, ['b', 'b', 'b']), plan, 1_000);
    for (let nowMs = 1_000; nowMs < 2_000; nowMs += 10) expect(turns.waitMs('b', nowMs)).toBe(0);
  });

  it('are long enough for a hundred nodes together', () => {
    const ids = Array.from({ length: 100 }, (_, at) => `n${at}`);
    const view = sampleView({
      members: ids.map((id) => sampleMember(id)),
      partitions: ids.map((owner, at) => samplePlacement({ owner, ownerCopy: at + 1 })),
    });
    turns.installed(
      view,
      ids.map(() => ({ owner: 'x', successor: '' })),
      0,
    );
    for (const id of ids) expect(turns.waitMs(id, 0)).toBeLessThanOrEqual(900);
  });

  it('wait for another that was seen to propose on this view, but not for ever', () => {
    const [first] = whoMay(1_010);
    expect(turns.waitMs(first!, 1_010, 1_005)).toBe(145);
    expect(turns.waitMs(first!, 1_010, 999)).toBe(0);
    expect(OWNERS.map((id) => turns.waitMs(id, 1_200, 1_005))).toEqual(OWNERS.map((id) => turns.waitMs(id, 1_200)));
  });
});
