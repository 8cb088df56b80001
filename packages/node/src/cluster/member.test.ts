import { ManualClock, seededRandom } from '@larder/base';
import { LarderError } from '@larder/proto';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryEntries } from '../replication/memory-entries.js';
import type { AcknowledgedCopy, Envelope, PeerMessage, RecordRun } from '../replication/messages.js';
import { Member } from './member.js';
import { ALL_RULES } from './protocol-rules.js';
import { sampleMember, samplePlacement, sampleView } from './sample-view.js';
import { encodeView } from './view-codec.js';
import type { PartitionPlacement, ViewDocument } from './view-document.js';
import { ViewDraft } from './view-draft.js';
import type { CasOutcome, ViewReading, ViewStore } from './view-store/view-store.js';

/** A clock whose wall time can jump, as that of a machine that was suspended. */
class WallClock extends ManualClock {
  jumpedMs = 0;
  override wallMs(): number {
    return super.wallMs() + this.jumpedMs;
  }
}

/** Node b among a and c, whose messages and store answers the test gives. */
class Bench implements ViewStore {
  readonly clock = new WallClock();
  readonly sent: { node: string; message: PeerMessage }[] = [];
  readonly refused: LarderError[] = [];
  /** What was said of partitions. */
  readonly told: string[] = [];
  reads: ((reading: ViewReading) => void)[] = [];
  proposals: ((outcome: CasOutcome) => void)[] = [];
  expelled = false;
  readonly member: Member;
  view: ViewDocument;

  constructor(placement: Partial<PartitionPlacement>, rules = ALL_RULES) {
    const { address, zone, pool, weight } = sampleMember('b');
    const plan = () => [{ owner: 'b', successor: 'c' }];
    this.member = new Member(
      {
        self: { id: 'b', address, zone, pool, weight },
        clock: this.clock,
        random: seededRandom(5),
        store: this,
        rules,
        plan,
        partitionCount: 1,
        placesEmpty: false,
      },
      {
        send: (node, { message }) => this.sent.push({ node, message }),
        createEntries: () => new MemoryEntries(),
        ownerChanged: (partition, owns) => this.told.push(`${partition} ${owns ? 'owned' : 'not owned'}`),
        evictableChanged: (partition, evictable) => this.told.push(`${partition} ${evictable ? 'evictable' : 'kept'}`),
        viewInstalled: () => {},
        expelled: () => {
          this.expelled = true;
        },
        refused: (_, error) => this.refused.push(error),
      },
    );
    const members = [sampleMember('a'), this.member.self, sampleMember('c')];
    this.view = sampleView({ members, partitions: [samplePlacement(placement)] });
    this.install(this.view);
  }

  read(done: (reading: ViewReading) => void): void {
    this.reads.push(done);
  }

  cas(_version: number, _document: Uint8Array, done: (outcome: CasOutcome) => void): void {
    this.proposals.push(done);
  }

  install(view: ViewDocument): void {
    this.view = view;
    this.member.offerDocument(encodeView(view), 'the test');
  }

  /** The store confirms the view that is installed. */
  confirm(): void {
    this.member.readView();
    for (const done of this.reads.splice(0)) done({ version: this.view.version, document: encodeView(this.view) });
  }

  change(edit: (draft: ViewDraft) => void): void {
    const draft = new ViewDraft(this.view);
    edit(draft);
    this.install(draft.build('00000000000000aa'));
  }

  receive(node: string, message: PeerMessage, options: Partial<Envelope> = {}): void {
    const { incarnation } = sampleMember(node);
    const { cluster, version } = this.view;
    this.member.receive({ cluster, node, incarnation, viewVersion: version, message, ...options });
    this.member.flush();
  }

  kindsSentTo(node: string): string[] {
    return this.sent.filter((item) => item.node === node).map(({ message }) => message.kind);
  }

  heartbeatFrom(node: string, options: Partial<Envelope> = {}): void {
    this.receive(node, { kind: 'heartbeat', monotonicMs: 0, wallMs: 0, unheard: [] }, options);
  }
}

const learning = { learner: 'b', learnerCopy: 3 };
const chunk = { kind: 'sync', partition: 0, epoch: 5, copy: 3, attempt: 1, chunk: 0, last: true, baseSeq: 8 } as const;
const emptyChunk = { ...chunk, entries: [], requests: [] };

/** Node b is the successor of a, and in sync. */
function successorBench(rules = ALL_RULES): Bench {
  const bench = new Bench(learning, rules);
  bench.receive('a', emptyChunk);
  bench.change((draft) => draft.promoteLearner(0));
  return bench;
}

describe('member', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench({ owner: 'b' });
  });

  it('serves what the view gives it, once the store has confirmed the view', () => {
    expect(bench.member.obstacle(0)).toBe('view-lease');
    bench.confirm();
    expect(bench.member.serves(0)).toBe(true);
    expect(bench.member.refusal(0).code).toBe('BUSY');
  });

  it('stops to serve when it has not reached the store for the view lease', () => {
    for (const viewLease of [true, false]) {
      bench = new Bench({ owner: 'b' }, { ...ALL_RULES, viewLease });
      bench.confirm();
      bench.clock.advance(9_999);
      expect(bench.member.serves(0)).toBe(true);
      bench.clock.advance(1);
      expect(bench.member.obstacle(0)).toBe(viewLease ? 'view-lease' : undefined);
    }
  });

  it('with a successor serves only while that grants it', () => {
    bench = new Bench({ owner: 'b', successor: 'c', successorCopy: 2 });
    bench.confirm();
    expect(bench.member.obstacle(0)).toBe('pair-lease');
    bench.receive('c', { kind: 'grant', ...bench.member.time.mark(), unheard: [] });
    expect(bench.member.serves(0)).toBe(true);
    bench.clock.advance(1_000);
    expect(bench.member.obstacle(0)).toBe('pair-lease');
  });

  it('having taken over waits until the last lease that it granted is over', () => {
    for (const promotedWait of [true, false]) {
      bench = successorBench({ ...ALL_RULES, promotedWait });
      bench.heartbeatFrom('a');
      bench.confirm();
      bench.clock.advance(30);
      bench.change((draft) => draft.promoteSuccessor(0, 1));
      expect(bench.member.obstacle(0)).toBe(promotedWait ? 'waiting' : undefined);
      bench.clock.advance(1_019);
      expect(bench.member.serves(0)).toBe(!promotedWait);
      bench.clock.advance(1);
      expect(bench.member.serves(0)).toBe(true);
    }
  });

  it('waits a whole grace if it cannot know who owned the partition before', () => {
    bench = successorBench();
    bench.confirm();
    const draft = new ViewDraft(bench.view);
    draft.promoteSuccessor(0, 1);
    const next = draft.build('00000000000000aa');
    const partitions = [{ ...next.partitions[0]!, epoch: 20 }];
    bench.install({ ...next, version: 30, partitions });
    bench.clock.advance(1_049);
    expect(bench.member.obstacle(0)).toBe('waiting');
    bench.clock.advance(1);
    expect(bench.member.serves(0)).toBe(true);
  });

  it('does not hold a partition whose copy it never had', () => {
    for (const copyIds of [true, false]) {
      bench = successorBench({ ...ALL_RULES, copyIds });
      bench.confirm();
      const [placement] = bench.view.partitions;
      const other = { ...placement!, owner: 'b', ownerCopy: 50, successor: '', successorCopy: 0, epoch: 9 };
      bench.install({ ...bench.view, version: 30, partitions: [{ ...other, origin: 'handed-over' }] });
      expect(bench.member.obstacle(0)).toBe(copyIds ? 'no-copy' : undefined);
    }
  });

  it('takes records only from the owner, of the epoch, and for the copy that the view names', () => {
    for (const epochCheck of [true, false]) {
      bench = successorBench({ ...ALL_RULES, epochCheck });
      const run = { partition: 0, epoch: 6, copy: 3, records: [] };
      const replicate = (other: Partial<RecordRun> = {}): PeerMessage => ({
        kind: 'replicate',
        runs: [{ ...run, ...other }],
      });
      const acknowledgedTo = (node: string): number =>
        bench.kindsSentTo(node).filter((kind) => kind === 'acknowledge').length;
      bench.receive('a', replicate());
      bench.receive('a', replicate({ copy: 4 }));
      bench.receive('a', replicate({ partition: 9 }));
      bench.receive('a', replicate(), { incarnation: 'ab'.repeat(16) });
      expect(acknowledgedTo('a')).toBe(1);
      bench.receive('a', replicate({ epoch: 7 }));
      bench.receive('c', replicate());
      expect(acknowledgedTo('a')).toBe(epochCheck ? 1 : 2);
      expect(acknowledgedTo('c')).toBe(epochCheck ? 0 : 1);
    }
  });

  it('needs the lease of a successor that it has proposed, for as long as that may have come about', () => {
    for (const union of [true, false]) {
      bench = new Bench({ owner: 'b', learner: 'c', learnerCopy: 3 }, { ...ALL_RULES, union });
      bench.confirm();
      bench.clock.advance(60);
      bench.member.flush();
      const sync = bench.sent.map(({ message }) => message).find((message) => message.kind === 'sync')!;
      const answer = {
        kind: 'sync-acknowledge',
        partition: 0,
        copy: 3,
        attempt: sync.attempt,
        chunk: 0,
        seq: 0,
      } as const;
      bench.receive('c', answer);
      bench.clock.advance(1);
      expect(bench.proposals).toHaveLength(1);
      bench.proposals[0]!('unknown');
      expect(bench.member.obstacle(0)).toBe(union ? 'pair-lease' : undefined);
      bench.receive('c', { kind: 'grant', ...bench.member.time.mark(), unheard: [] });
      expect(bench.member.serves(0)).toBe(true);
    }
  });

  it('grants no lease to an incarnation that the view does not list', () => {
    bench.heartbeatFrom('a');
    expect(bench.kindsSentTo('a')).toContain('grant');
    bench.heartbeatFrom('c', { incarnation: 'ab'.repeat(16) });
    expect(bench.kindsSentTo('c')).not.toContain('grant');
  });

  it('refuses another cluster, and says which', () => {
    bench.heartbeatFrom('a', { cluster: 'ff'.repeat(16) });
    expect(bench.refused.map(({ code }) => code)).toEqual(['INCOMPATIBLE']);
    expect(bench.kindsSentTo('a')).toEqual([]);
  });

  it('refuses a view with another count of partitions', () => {
    bench.install({
      ...bench.view,
      version: 8,
      nextCopy: 100,
      partitions: [samplePlacement(), samplePlacement({ ownerCopy: 2 })],
    });
    expect(bench.refused.map(({ message }) => message)).toEqual([
      'INCOMPATIBLE: it has 2 partitions; this node was built for 1',
    ]);
    expect(bench.member.view?.version).toBe(7);
  });

  it('sends its view to a peer that is behind, at most once a heartbeat', () => {
    for (let count = 0; count < 5; count++) bench.heartbeatFrom('a', { viewVersion: 3 });
    expect(bench.kindsSentTo('a').filter((kind) => kind === 'view')).toHaveLength(1);
    bench.clock.advance(200);
    bench.heartbeatFrom('a', { viewVersion: 3 });
    expect(bench.kindsSentTo('a').filter((kind) => kind === 'view')).toHaveLength(2);
  });

  it('reads the store when a peer is ahead', () => {
    bench.reads = [];
    bench.heartbeatFrom('a', { viewVersion: 99 });
    expect(bench.reads).toHaveLength(1);
  });

  it('says what it owns, and what it may take entries from', () => {
    expect(bench.told).toEqual(['0 owned', '0 evictable']);
    const copy = bench.member.copyOf(0)!;
    copy.freeze(0);
    copy.freeze(1);
    expect(bench.told.splice(0)).toEqual(['0 owned', '0 evictable', '0 kept']);
    copy.thaw();
    copy.thaw();
    expect(bench.told.splice(0)).toEqual(['0 evictable']);
    bench.change((draft) => draft.startFresh(0, 'c', 0, 1));
    expect(bench.told).toEqual(['0 not owned', '0 kept']);
  });

  it('says so when its copy is replaced by another one: not any more, and again', () => {
    bench.told.splice(0);
    bench.change((draft) => draft.startFresh(0, 'b', 0, 1));
    expect(bench.told).toEqual(['0 not owned', '0 kept', '0 owned', '0 evictable']);
  });

  it('says so when it has taken over, and when it has handed over', () => {
    bench = successorBench();
    expect(bench.told).toEqual([]);
    bench.change((draft) => draft.swap(0));
    expect(bench.told.splice(0)).toEqual(['0 owned', '0 evictable']);
    bench.change((draft) => draft.swap(0));
    expect(bench.told).toEqual(['0 not owned', '0 kept']);
  });

  it('knows since when no owner before it can have begun anything', () => {
    const before = (): number => bench.member.copyOf(0)!.beforeMineMs;
    const isInherited = (): boolean => bench.member.copyOf(0)!.isInherited;
    expect([before(), isInherited()]).toEqual([Number.NEGATIVE_INFINITY, false]);
    bench = successorBench();
    bench.heartbeatFrom('a');
    bench.clock.advance(30);
    bench.change((draft) => draft.promoteSuccessor(0, 1));
    expect(before()).toBe(bench.clock.monotonicMs() - 30 + 1_050);
    expect(isInherited()).toBe(true);
    bench.clock.advance(5_000);
    bench.change((draft) => draft.startFresh(0, 'b', 0, 1));
    expect(before()).toBe(bench.clock.monotonicMs());
  });

  it('knows that there was an owner before it if it was handed the partition, also of one that is new', () => {
    const before = (): number => bench.member.copyOf(0)!.beforeMineMs;
    bench = successorBench();
    bench.change((draft) => draft.swap(0));
    expect(before()).toBeGreaterThan(Number.NEGATIVE_INFINITY);
  });

  it('knows that there was an owner before it if it was handed its own partition back', () => {
    const before = (): number => bench.member.copyOf(0)!.beforeMineMs;
    bench.confirm();
    bench.change((draft) => draft.setLearner(0, 'a'));
    bench.change((draft) => draft.promoteLearner(0));
    expect(before()).toBe(Number.NEGATIVE_INFINITY);
    bench.change((draft) => draft.swap(0));
    bench.change((draft) => draft.swap(0));
    expect(bench.member.owning(0)).toBeDefined();
    expect(before()).toBeGreaterThan(Number.NEGATIVE_INFINITY);
  });

  it('does not serve until the entries of an older copy are gone', () => {
    bench.confirm();
    (bench.member.owning(0)!.entries as MemoryEntries).ready = false;
    expect(bench.member.obstacle(0)).toBe('waiting');
    expect(bench.member.refusal(0).code).toBe('BUSY');
    (bench.member.owning(0)!.entries as MemoryEntries).ready = true;
    expect(bench.member.serves(0)).toBe(true);
  });

  it('drops everything and ends when the view lists it no more', () => {
    bench.confirm();
    bench.change((draft) => {
      draft.startFresh(0, 'a', 2, 1);
      draft.removeMember('b');
    });
    expect(bench.expelled).toBe(true);
    expect(bench.member.obstacle(0)).toBe('not-owner');
    expect(bench.clock.pendingCount).toBe(0);
  });

  it('accuses nobody in a turn that comes late', () => {
    for (const lateTimerAmnesty of [true, false]) {
      bench = successorBench({ ...ALL_RULES, lateTimerAmnesty });
      bench.clock.advance(1_000);
      expect(bench.proposals).toHaveLength(0);
      bench.clock.jumpedMs = 60_000;
      bench.clock.advance(100);
      expect(bench.proposals).toHaveLength(lateTimerAmnesty ? 0 : 1);
      bench.clock.advance(1_050);
      expect(bench.proposals).toHaveLength(1);
    }
  });

  it('accuses nobody before the late turn has come either', () => {
    for (const lateTimerAmnesty of [true, false]) {
      bench = successorBench({ ...ALL_RULES, lateTimerAmnesty });
      bench.clock.advance(10);
      bench.heartbeatFrom('a');
      bench.clock.advance(1_051);
      bench.clock.jumpedMs = 60_000;
      bench.change((draft) => draft.setLearner(0, 'c'));
      bench.clock.advance(1);
      expect(bench.proposals).toHaveLength(lateTimerAmnesty ? 0 : 1);
    }
  });

  it('survives whatever listed nodes may send, and serves on', () => {
    const random = seededRandom(3);
    const number = (): number => [0, 1, 2, 3, 5, 6, 7, 8, 99, -1, 2 ** 40][random.integer(11)]!;
    const kinds = [
      'heartbeat',
      'grant',
      'replicate',
      'acknowledge',
      'sync',
      'sync-acknowledge',
      'clean',
      'probe',
      'probed',
    ];
    const anything = (): PeerMessage =>
      ({
        ...part(),
        kind: kinds[random.integer(kinds.length)],
        runs: [part(), part()],
        copies: [part()],
      }) as PeerMessage;
    const part = (): RecordRun & AcknowledgedCopy =>
      ({
        monotonicMs: number(),
        wallMs: number(),
        partition: number(),
        epoch: number(),
        copy: number(),
        seq: number(),
        attempt: number(),
        chunk: number(),
        last: random.next() < 0.5,
        baseSeq: number(),
        records: [],
        entries: [],
        requests: [],
        unheard: [],
        cache: number(),
        key: Buffer.from('k'),
        version: { epoch: number(), seq: number() },
      }) as unknown as RecordRun & AcknowledgedCopy;
    for (const placement of [
      { owner: 'b', learner: 'c', learnerCopy: 3 },
      { owner: 'a', learner: 'b', learnerCopy: 3 },
    ]) {
      bench = new Bench(placement);
      bench.confirm();
      for (let count = 0; count < 3_000; count++) {
        bench.receive(random.next() < 0.5 ? 'a' : 'c', anything(), { viewVersion: number() });
      }
      expect(bench.member.serves(0)).toBe(placement.owner === 'b');
    }
  });

  it('names the owner to who comes to the wrong node', () => {
    bench = new Bench({ owner: 'a' });
    const error = bench.member.refusal(0);
    expect(error).toBeInstanceOf(LarderError);
    expect(error).toMatchObject({
      code: 'NOT_OWNER',
      outcome: 'not-applied',
      details: { owner: 'a:7420', viewVersion: 7 },
    });
  });
});
