import { ManualClock, seededRandom } from '@larder/base';
import { beforeEach, describe, expect, it } from 'vitest';
import { ElapsedTime } from './elapsed-time.js';
import { ALL_RULES } from './protocol-rules.js';
import { samplePlacement, sampleView } from './sample-view.js';
import { encodeView } from './view-codec.js';
import type { ViewDocument } from './view-document.js';
import { ViewDraft } from './view-draft.js';
import { ViewKeeper } from './view-keeper.js';
import type { CasOutcome, ViewReading, ViewStore } from './view-store/view-store.js';

/** A store whose answers the test gives. */
class HeldStore implements ViewStore {
  reads: ((reading: ViewReading) => void)[] = [];
  proposals: ((outcome: CasOutcome) => void)[] = [];
  read(done: (reading: ViewReading) => void): void {
    this.reads.push(done);
  }
  cas(_version: number, _document: Uint8Array, done: (outcome: CasOutcome) => void): void {
    this.proposals.push(done);
  }
}

const view = sampleView({ partitions: [samplePlacement({ learner: 'b', learnerCopy: 2 })] });
const stored = (document: ViewDocument) => ({ version: document.version, document: encodeView(document) });

function promoted(from: ViewDocument): ViewDocument {
  const draft = new ViewDraft(from);
  draft.promoteLearner(0);
  return draft.build('fedcba9876543210');
}

describe('view keeper', () => {
  let clock: ManualClock;
  let store: HeldStore;
  let refused: string[];
  const keeperWith = (rules = ALL_RULES): ViewKeeper => {
    const keeper = new ViewKeeper(store, new ElapsedTime(clock), seededRandom(1), rules, {
      partitionCount: 1,
      installed: () => {},
      proposalsChanged: () => {},
      won: () => {},
      retry: () => {},
      refused: (from, error) => refused.push(`${from}: ${error}`),
    });
    keeper.offer(encodeView(view), 'a peer');
    return keeper;
  };
  beforeEach(() => {
    clock = new ManualClock();
    store = new HeldStore();
    refused = [];
  });

  it('counts a proposal whose answer never came until one of its own succeeds, whatever reads say', () => {
    for (const unresolvedUntilOwnCas of [true, false]) {
      store = new HeldStore();
      const keeper = keeperWith({ ...ALL_RULES, unresolvedUntilOwnCas });
      keeper.propose(promoted(view));
      store.proposals[0]!('unknown');
      store.reads[0]!(stored(view));
      expect(keeper.openProposals().map((open) => open.partitions[0]!.successor)).toEqual(
        unresolvedUntilOwnCas ? ['b'] : [],
      );
    }
  });

  it('settles an open proposal with a view of a higher version', () => {
    const keeper = keeperWith();
    keeper.propose(promoted(view));
    store.proposals[0]!('unknown');
    expect(keeper.mustPropose).toBe(true);
    keeper.offer(encodeView(new ViewDraft(view).build('0000000000000001')), 'a peer');
    expect(keeper.openProposals()).toEqual([]);
    expect(keeper.mustPropose).toBe(false);
  });

  it('adds nothing more to what is open after eight unknown answers', () => {
    const keeper = keeperWith();
    for (let round = 0; round < 8; round++) {
      expect(keeper.mustSettle).toBe(false);
      keeper.propose(promoted(view));
      store.proposals[round]!('unknown');
    }
    expect(keeper.mustSettle).toBe(true);
  });

  it('proposes nothing after a loss until it has read', () => {
    const keeper = keeperWith();
    keeper.propose(promoted(view));
    store.proposals[0]!('lost');
    expect(keeper.mayPropose).toBe(false);
    store.reads[0]!(undefined);
    expect(keeper.mayPropose).toBe(false);
    keeper.poll(1_000);
    store.reads[1]!(stored(view));
    expect(keeper.mayPropose).toBe(true);
  });

  it('is confirmed from the start of a read, not from its answer', () => {
    const keeper = keeperWith();
    clock.advance(100);
    keeper.read();
    clock.advance(300);
    store.reads[0]!(stored(view));
    expect(keeper.confirmed.monotonicMs).toBe(100);
  });

  it('is not confirmed by a peer, nor by a read that failed', () => {
    const keeper = keeperWith();
    keeper.read();
    store.reads[0]!(undefined);
    expect(keeper.confirmed.monotonicMs).toBe(Number.NEGATIVE_INFINITY);
  });

  it('is not confirmed by a view that it cannot take: its own is the old one then', () => {
    const keeper = keeperWith();
    keeper.read();
    store.reads[0]!({ version: view.version + 1, document: Uint8Array.of(1, 2, 3) });
    expect(keeper.confirmed.monotonicMs).toBe(Number.NEGATIVE_INFINITY);
    expect(refused).toHaveLength(1);
  });

  it('refuses documents of another cluster and random bytes, and keeps its view', () => {
    const keeper = keeperWith();
    keeper.offer(encodeView(sampleView({ version: 99, cluster: 'ff'.repeat(16) })), 'a stranger');
    keeper.offer(Uint8Array.of(1, 2, 3), 'a madman');
    expect(keeper.version).toBe(view.version);
    expect(refused).toEqual([
      expect.stringMatching(/^a stranger: LarderError: INCOMPATIBLE: it belongs to cluster ff/),
      expect.stringMatching(/^a madman: LarderError: BAD_ARGUMENT: a view of a cluster cannot be read/),
    ]);
  });

  it('never goes back to an older view', () => {
    const keeper = keeperWith();
    keeper.offer(encodeView(sampleView({ version: 3 })), 'a peer');
    expect(keeper.version).toBe(7);
  });
});
