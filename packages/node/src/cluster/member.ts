import type { Random, Timer } from '@larder/base';
import { type LarderError, PARTITION_COUNT, toLarderError } from '@larder/proto';
import type { CopyEntries } from '../replication/copy-entries.js';
import type { Envelope, PeerMessage, RecordRun } from '../replication/messages.js';
import type { PendingBudget } from '../replication/pending-window.js';
import type { FollowerPlace, Replicator } from '../replication/replicator.js';
import { SyncFlows } from '../replication/sync-flows.js';
import { type ClusterStatus, clusterStatus } from './cluster-status.js';
import { ElapsedTime, type Mark } from './elapsed-time.js';
import { foundingView } from './founding-view.js';
import { Hearsay, unheardBy } from './hearsay.js';
import type { HeldCopy } from './held-copy.js';
import { Holdings, type HoldingsHost } from './holdings.js';
import { JoinProbe } from './join-probe.js';
import type { MemberHost, MemberOptions } from './member-options.js';
import { MessageReader } from './message-reader.js';
import { Outbox } from './outbox.js';
import { PairLeases, type PeerLease } from './pair-leases.js';
import { type PlannedPlace, planPlacements } from './placement-planner.js';
import { ALL_RULES, type ProtocolRules } from './protocol-rules.js';
import { refusalOf } from './refusal.js';
import { applyRules } from './rules/apply-rules.js';
import { askedOnce } from './rules/asked-once.js';
import { applyJoin } from './rules/membership-rules.js';
import type { RuleContext } from './rules/rule-context.js';
import { keepsPartition, type ServeObstacle, serveObstacle } from './serve-rule.js';
import { ServingTable } from './serving-table.js';
import { type ClusterTimers, LAN_TIMERS } from './timers.js';
import type { ViewDocument, ViewMember } from './view-document.js';
import { ViewDraft } from './view-draft.js';
import { ViewKeeper, type ViewKeeperHost } from './view-keeper.js';

/**
 * One node's part in the cluster, from its start to its end: a state machine that is given messages, time and the
 * answers of the view store, and gives messages and calls of the store. It knows no network, no file and no real clock.
 *
 *   each tick      heartbeats; a read of the view store now and then; what was not answered is sent again; rules
 *   rules          from the installed view a draft is made, every rule may change it, and if it differs it is proposed
 *                  by one compare-and-set. Lost or unknown: read, and begin again from what is there.
 *   each view      copies are moved to where it says (holdings.ts)
 *   each message   message-reader.ts
 *
 * The shell calls `flush()` at the end of each turn in which it handed in messages or writes; what the member does by
 * itself, on its timers and on answers of the store, it sends by itself.
 */

/** A tick that comes later than this found its process standing still, and judges nobody. */
const LATE_MS = 250;
/** Ticks per heartbeat. */
const TICKS_PER_HEARTBEAT = 4;
const SYNC_BYTES_PER_SECOND = 64 * 1024 * 1024;
const CHUNK_ENTRIES = 256;
const NO_PLACES: readonly FollowerPlace[] = [];

export class Member implements HoldingsHost {
  readonly self: ViewMember;
  readonly time: ElapsedTime;
  readonly leases: PairLeases;
  readonly rules: ProtocolRules;
  readonly holdings: Holdings;
  readonly pendingBudget: PendingBudget = { bytes: 0 };
  readonly chunkEntries: number;
  syncBytesLeft = 0;
  readonly syncFlows = new SyncFlows();
  readonly #partitionCount: number;
  readonly #keeper: ViewKeeper;
  readonly #probe: JoinProbe;
  readonly #reader: MessageReader;
  readonly #flushes: Replicator[] = [];
  readonly #outbox = new Outbox(this);
  readonly hearsay = new Hearsay();
  /** Members that this node has not heard for `suspectMs`, as of the last heartbeat. */
  unheard: readonly string[] = [];
  readonly #table: ServingTable;
  #incarnations: ReadonlyMap<string, string> = new Map();
  #plan: readonly PlannedPlace[] = [];
  #wasListed = false;
  #stopped = false;
  #draining = false;
  #heartbeatMs = Number.NEGATIVE_INFINITY;
  #accuseSinceMs: number;
  #tickDue: Mark;
  #tickTimer: Timer;
  readonly #unwatch: (() => void) | undefined;
  #retryTimer: Timer | undefined;

  constructor(
    readonly options: MemberOptions,
    readonly host: MemberHost,
  ) {
    this.rules = options.rules ?? ALL_RULES;
    this.self = { ...options.self, incarnation: randomHex(options.random, 4), draining: false };
    this.chunkEntries = options.chunkEntries ?? CHUNK_ENTRIES;
    this.time = new ElapsedTime(options.clock, this.rules.wallClockBound);
    this.leases = new PairLeases(this.time, this.rules.grantVersion);
    this.#partitionCount = options.partitionCount ?? PARTITION_COUNT;
    this.#keeper = new ViewKeeper(options.store, this.time, options.random, this.rules, this.#keeperHost());
    this.holdings = new Holdings(this, options.random);
    this.#table = new ServingTable(this.#partitionCount, this);
    this.#probe = new JoinProbe(this);
    this.#reader = new MessageReader(this);
    this.#accuseSinceMs = this.nowMs();
    this.#tickDue = this.time.mark();
    this.#tickTimer = options.clock.after(0, this.#tick);
    this.#unwatch = options.store.watch?.(() => this.readView());
  }

  get view(): ViewDocument | undefined {
    return this.#keeper.view;
  }

  get document(): Uint8Array {
    return this.#keeper.document;
  }

  get timers(): ClusterTimers {
    return this.view?.config.timers ?? this.options.founding?.config.timers ?? LAN_TIMERS;
  }

  get copiesMin(): 1 | 2 {
    return this.view!.config.copiesMin;
  }

  get listed(): boolean {
    return this.incarnationOf(this.self.id) === this.self.incarnation;
  }

  nowMs(): number {
    return this.options.clock.monotonicMs();
  }

  /** For turns of many operations: the serve rule as it is in this turn, and in no later one. */
  beginTurn(): ServingTable {
    this.#table.beginTurn();
    return this.#table;
  }

  /** The partition, if this node may read and write it in this turn. */
  serving(partition: number): Replicator | undefined {
    return this.obstacle(partition) === undefined ? this.holdings.copies.get(partition)!.replicator : undefined;
  }

  /** The partition, if the installed view gives it to this node, whether or not it may be served right now. */
  owning(partition: number): Replicator | undefined {
    return this.holdings.owner(partition);
  }

  serves(partition: number): boolean {
    return this.obstacle(partition) === undefined;
  }

  /** Besides: what it has begun for the partition before it hands it over, it may end. */
  keeps(partition: number): boolean {
    return !this.#stopped && keepsPartition(partition, this);
  }

  obstacle(partition: number): ServeObstacle | undefined {
    return this.#stopped ? 'not-owner' : serveObstacle(partition, this);
  }

  copyOf(partition: number): HeldCopy | undefined {
    return this.holdings.copy(partition);
  }

  incarnationOf(id: string): string {
    return this.#incarnations.get(id) ?? '';
  }

  get viewConfirmed(): Mark {
    return this.#keeper.confirmed;
  }

  lease(id: string): PeerLease | undefined {
    return this.leases.lease(this.incarnationOf(id));
  }

  /** The answer to a call for a partition that it does not serve. */
  refusal(partition: number): LarderError {
    return refusalOf(partition, this.obstacle(partition) ?? 'waiting', this.view, this.self.id);
  }

  /** The cluster as this node sees it. */
  status(): ClusterStatus {
    const { self, view } = this;
    const silentMs = (id: string): number => this.leases.silentMs(this.incarnationOf(id));
    return clusterStatus({ self, view, plan: this.#plan, silentMs, serves: (partition) => this.serves(partition) });
  }

  /** Begins to leave: partitions are handed over, and `expelled` is called when nothing is left. */
  drain(): void {
    this.#draining = true;
    this.settled();
  }

  /** The process ends; nothing is told to anybody. */
  stop(): void {
    this.#stopped = true;
    this.#table.close();
    this.#keeper.stop();
    this.#unwatch?.();
    this.#tickTimer.cancel();
    this.#retryTimer?.cancel();
    this.holdings.dropAll();
  }

  receive(envelope: Envelope): void {
    if (!this.#stopped) this.#reader.receive(envelope);
  }

  /** A new stream to the node stands; what was sent on the old one may be gone. */
  linkOpened(node: string): void {
    if (this.#stopped) return;
    this.#outbox.peers.forget(node);
    for (const replicator of this.holdings.replicators()) replicator.rewind(node);
  }

  /** Sends what this turn has brought up. */
  flush(): void {
    // What is flushed may want more: then it is at the end.
    for (const replicator of this.#flushes) replicator.flush();
    this.#flushes.length = 0;
    this.#outbox.flush();
  }

  wantsFlush(replicator: Replicator): void {
    this.#flushes.push(replicator);
  }

  /** Something has happened that a rule may be waiting for. In a partition only a hand-over waits. */
  settled(partition?: number): void {
    if (partition === undefined || this.copyOf(partition)?.frozenMs !== undefined) this.#applySoon(0);
  }

  createEntries(partition: number, copy: number): CopyEntries {
    return this.host.createEntries(partition, copy);
  }

  ownerChanged(partition: number, owns: boolean): void {
    this.#table.update(partition);
    this.host.ownerChanged(partition, owns);
  }

  evictableChanged(partition: number, evictable: boolean): void {
    this.#table.update(partition);
    this.host.evictableChanged(partition, evictable);
  }

  proposedSuccessors(partition: number): readonly FollowerPlace[] {
    if (!this.#keeper.hasOpenProposals) return NO_PLACES;
    const places: FollowerPlace[] = [];
    for (const proposal of this.#keeper.openProposals()) {
      const { owner, successor, successorCopy } = proposal.partitions[partition]!;
      if (owner === this.self.id && successor !== '') places.push({ node: successor, copy: successorCopy });
    }
    return places;
  }

  send(node: string, message: PeerMessage): void {
    this.#outbox.send(node, message);
  }

  replicate(node: string, run: RecordRun): void {
    this.#outbox.replicate(node, run);
  }

  peerVersion(node: string, version: number): void {
    this.#outbox.peerVersion(node, version);
  }

  probeAnswered(node: string): void {
    this.#probe.answered(node);
  }

  refuse(node: string, error: LarderError): void {
    this.host.refused(node, error);
  }

  readView(): void {
    this.#keeper.read();
  }

  offerDocument(document: Uint8Array, from: string): void {
    this.#keeper.offer(document, from);
  }

  readonly #tick = (): void => {
    this.time.observe();
    const late = this.#isLate();
    const periodMs = this.timers.heartbeatMs / TICKS_PER_HEARTBEAT;
    this.#tickTimer = this.options.clock.after(periodMs, this.#tick);
    const now = this.time.mark();
    this.#tickDue = { monotonicMs: now.monotonicMs + periodMs, wallMs: now.wallMs + periodMs };
    if (late) this.#forgive();
    this.#beat();
    this.#keeper.poll(this.timers.viewPollMs);
    this.#tickReplication(periodMs);
    if (!late) this.#apply();
    this.flush();
  };

  /** The process stood still, and the tick that will say so has not come yet, or is this one. */
  #isLate(): boolean {
    return this.rules.lateTimerAmnesty && this.time.held(this.#tickDue) > LATE_MS;
  }

  #forgive(): void {
    this.leases.forgive();
    this.#accuseSinceMs = this.nowMs();
  }

  #beat(): void {
    if (this.nowMs() - this.#heartbeatMs < this.timers.heartbeatMs) return;
    this.#heartbeatMs = this.nowMs();
    const { monotonicMs, wallMs } = this.time.mark();
    this.holdings.requests.expire(this.nowMs());
    if (!this.listed) return;
    this.unheard = unheardBy(this);
    for (const { id } of this.view!.members)
      if (id !== this.self.id) this.send(id, { kind: 'heartbeat', monotonicMs, wallMs });
  }

  #tickReplication(periodMs: number): void {
    const bytesPerTick = ((this.options.syncBytesPerSecond ?? SYNC_BYTES_PER_SECOND) * periodMs) / 1_000;
    this.syncBytesLeft = Math.min(bytesPerTick, this.syncBytesLeft + bytesPerTick);
    const replicators = this.holdings.replicators();
    this.syncFlows.recount(replicators);
    for (const replicator of replicators) replicator.tick(2 * this.timers.heartbeatMs, this.timers.dropMs);
  }

  #applySoon(delayMs: number): void {
    if (this.#stopped) return;
    this.#retryTimer ??= this.options.clock.after(delayMs, () => {
      this.#retryTimer = undefined;
      this.#apply();
      this.flush();
    });
  }

  /** Looks for changes that rules want, and proposes them. */
  #apply(): void {
    const keeper = this.#keeper;
    if (this.#stopped || !keeper.mayPropose || this.#isLate()) return;
    if (this.view === undefined) {
      this.#found();
      return;
    }
    const draft = new ViewDraft(this.view);
    if (keeper.mustSettle) {
      keeper.propose(draft.build(this.#nonce()));
      return;
    }
    if (this.listed) applyRules(this.#context(draft));
    else if (!this.#wasListed && this.#probe.mayJoin(this.view)) applyJoin(draft, this.self, this.rules);
    if (draft.changed || keeper.mustPropose) keeper.propose(draft.build(this.#nonce()));
  }

  #context(draft: ViewDraft): RuleContext {
    const open = this.#keeper.openProposals();
    return {
      self: this.self,
      draft,
      timers: this.timers,
      rules: this.rules,
      copies: this.holdings.copies,
      plan: this.#plan,
      nowMs: this.nowMs(),
      draining: this.#draining,
      isHeardElsewhere: (id) => this.hearsay.isHeardElsewhere(id, this),
      heardVersion: (id) => this.#outbox.peers.heardVersion(id),
      placesEmpty: this.options.placesEmpty ?? true,
      silentMs: askedOnce((id) => this.leases.silentMs(this.incarnationOf(id))),
      unansweredMs: askedOnce((id) => this.leases.unansweredMs(this.incarnationOf(id))),
      ageMs: (sinceMs) => this.time.waited(Math.max(sinceMs, this.#accuseSinceMs)),
      isOpen: (partition) =>
        open.some((proposal) => proposal.partitions[partition]!.epoch !== this.view!.partitions[partition]!.epoch),
    };
  }

  #found(): void {
    const { founding, random } = this.options;
    if (founding === undefined || !this.#keeper.storeIsEmpty) return;
    this.#keeper.propose(foundingView(founding, this.#partitionCount, this.self, randomHex(random, 4), this.#nonce()));
  }

  #keeperHost(): ViewKeeperHost {
    return {
      partitionCount: this.#partitionCount,
      installed: (view, before) => {
        this.#installed(view, before);
        this.flush();
      },
      proposalsChanged: () => {
        if (this.view === undefined) return;
        this.holdings.configure(this.view);
        this.#table.rebuild();
        this.flush();
      },
      won: () => {
        for (const { id } of this.view!.members) if (id !== this.self.id) this.#outbox.push(id);
      },
      retry: (afterMs) => this.#applySoon(afterMs),
      refused: (from, error) => this.host.refused(from, toLarderError(error)),
    };
  }

  #installed(view: ViewDocument, before: ViewDocument | undefined): void {
    this.#incarnations = new Map(view.members.map(({ id, incarnation }) => [id, incarnation]));
    this.#outbox.peers.keep(this.#incarnations);
    this.hearsay.keep(this.#incarnations);
    this.#plan = (this.options.plan ?? planPlacements)(view);
    // First what is not this node's any more, for those who are told of it; then, by the leases, all.
    this.#table.rebuild();
    this.holdings.install(view, before);
    this.leases.follow(view);
    this.#table.rebuild();
    this.host.viewInstalled(view);
    if (this.listed) {
      this.#wasListed = true;
    } else if (this.#wasListed && this.rules.incarnations) {
      this.stop();
      this.host.expelled();
      return;
    }
    this.#applySoon(0);
  }

  #nonce(): string {
    return randomHex(this.options.random, 2);
  }
}

/** `words` times 32 random bits. */
function randomHex(random: Random, words: number): string {
  let digits = '';
  for (let word = 0; word < words; word++) digits += random.uint32().toString(16).padStart(8, '0');
  return digits;
}
