import type { Timer } from '@larder/base';
import { type LarderError, PARTITION_COUNT, toLarderError } from '@larder/proto';
import type { CopyEntries } from '../replication/copy-entries.js';
import type { Envelope, PeerMessage, RecordRun } from '../replication/messages.js';
import type { PendingBudget } from '../replication/pending-window.js';
import type { FollowerPlace, Replicator } from '../replication/replicator.js';
import { SyncFlows } from '../replication/sync-flows.js';
import { type ClusterStatus, clusterStatus } from './cluster-status.js';
import { ElapsedTime, type Mark } from './elapsed-time.js';
import { Hearsay, unheardBy } from './hearsay.js';
import type { HeldCopy } from './held-copy.js';
import { Holdings, type HoldingsHost } from './holdings.js';
import { JoinProbe } from './join-probe.js';
import type { MemberHost, MemberOptions } from './member-options.js';
import { MessageReader } from './message-reader.js';
import { Outbox } from './outbox.js';
import { PairLeases, type PeerLease } from './pair-leases.js';
import { Proposer, randomHex } from './proposer.js';
import { ALL_RULES, type ProtocolRules } from './protocol-rules.js';
import { refusalOf } from './refusal.js';
import { keepsPartition, type ServeObstacle, serveObstacle } from './serve-rule.js';
import { ServingTable } from './serving-table.js';
import { SyncPump } from './sync-pump.js';
import { type ClusterTimers, LAN_TIMERS } from './timers.js';
import { isSameMembership, ViewChanges } from './view-changes.js';
import type { ViewDocument, ViewMember } from './view-document.js';
import { ViewKeeper, type ViewKeeperHost } from './view-keeper.js';

/**
 * One node's part in the cluster, from its start to its end: a state machine that is given messages, time and the
 * answers of the view store, and gives messages and calls of the store. It knows no network, no file and no real clock.
 *
 *   each tick      heartbeats; a read of the view store now and then; what was not answered is sent again; rules
 *   rules          proposer.ts
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
  readonly #pump: SyncPump;
  readonly syncFlows = new SyncFlows();
  readonly partitionCount: number;
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
  readonly #changes = new ViewChanges();
  readonly #proposer: Proposer;
  wasListed = false;
  #stopped = false;
  #heartbeatMs = Number.NEGATIVE_INFINITY;
  #tickDue: Mark;
  #tickTimer: Timer;
  readonly #unwatch: (() => void) | undefined;

  constructor(
    readonly options: MemberOptions,
    readonly host: MemberHost,
  ) {
    this.rules = options.rules ?? ALL_RULES;
    this.self = { ...options.self, incarnation: randomHex(options.random, 4), draining: false };
    this.chunkEntries = options.chunkEntries ?? CHUNK_ENTRIES;
    this.time = new ElapsedTime(options.clock, this.rules.wallClockBound);
    this.leases = new PairLeases(this.time, this.rules.grantVersion);
    this.partitionCount = options.partitionCount ?? PARTITION_COUNT;
    this.#keeper = new ViewKeeper(options.store, this.time, options.random, this.rules, this.#keeperHost());
    this.holdings = new Holdings(this, options.random);
    this.#table = new ServingTable(this.partitionCount, this);
    this.#probe = new JoinProbe(this);
    this.#reader = new MessageReader(this);
    this.#pump = new SyncPump(this);
    this.#proposer = new Proposer(this, this.#keeper);
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

  get syncBytesLeft(): number {
    return this.#pump.bytesLeft;
  }

  set syncBytesLeft(bytes: number) {
    this.#pump.bytesLeft = bytes;
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
    return clusterStatus({
      self,
      view,
      plan: this.#proposer.plan,
      silentMs,
      serves: (partition) => this.serves(partition),
    });
  }

  /** Begins to leave: partitions are handed over, and `expelled` is called when nothing is left. */
  drain(): void {
    this.#proposer.draining = true;
    this.settled();
  }

  /** The process ends; nothing is told to anybody. */
  stop(): void {
    this.#stopped = true;
    this.#table.close();
    this.#keeper.stop();
    this.#unwatch?.();
    this.#tickTimer.cancel();
    this.#proposer.stop();
    this.#pump.stop();
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

  /** Something has happened that a rule may be waiting for. */
  settled(): void {
    this.#proposer.applySoon(0);
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

  heardVersion(id: string): number {
    return this.#outbox.peers.heardVersion(id);
  }

  peerVersion(node: string, version: number): void {
    this.#outbox.peerVersion(node, version);
  }

  mayJoin(view: ViewDocument): boolean {
    return this.#probe.mayJoin(view);
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
    const late = this.isLate;
    const periodMs = this.timers.heartbeatMs / TICKS_PER_HEARTBEAT;
    this.#tickTimer = this.options.clock.after(periodMs, this.#tick);
    const now = this.time.mark();
    this.#tickDue = { monotonicMs: now.monotonicMs + periodMs, wallMs: now.wallMs + periodMs };
    if (late) this.#forgive();
    this.#beat();
    this.#keeper.poll(this.timers.viewPollMs);
    this.#tickReplication();
    if (!late) this.#proposer.apply();
    this.flush();
  };

  /** The process stood still, and the tick that will say so has not come yet, or is this one. */
  get isLate(): boolean {
    return this.rules.lateTimerAmnesty && this.time.held(this.#tickDue) > LATE_MS;
  }

  #forgive(): void {
    this.leases.forgive();
    this.#proposer.forgive();
  }

  #beat(): void {
    if (this.nowMs() - this.#heartbeatMs < this.timers.heartbeatMs) return;
    this.#heartbeatMs = this.nowMs();
    const { monotonicMs, wallMs } = this.time.mark();
    this.holdings.requests.expire(this.nowMs());
    if (!this.listed) return;
    this.unheard = unheardBy(this, this.timers.suspectMs);
    const unheard = unheardBy(this, this.timers.dropMs);
    for (const { id } of this.view!.members)
      if (id !== this.self.id) this.send(id, { kind: 'heartbeat', monotonicMs, wallMs, unheard });
  }

  #tickReplication(): void {
    const replicators = this.holdings.replicators();
    this.syncFlows.recount(replicators);
    for (const replicator of replicators) replicator.tick(2 * this.timers.heartbeatMs, this.timers.dropMs);
    if (replicators.some(({ isFilling }) => isFilling)) this.#pump.start();
  }

  #keeperHost(): ViewKeeperHost {
    return {
      partitionCount: this.partitionCount,
      // What is to be sent now, such as whole snapshots, goes with the rules, behind the view itself.
      installed: (view, before) => this.#installed(view, before),
      proposalsChanged: () => {
        const { view } = this;
        if (view === undefined) return;
        const changes = this.#changes.next(view, view, this.#keeper.openProposals());
        this.holdings.configure(view, changes);
        this.#table.updateAll(changes, false);
        this.flush();
      },
      won: () => {
        for (const { id } of this.view!.members) if (id !== this.self.id) this.#outbox.push(id);
      },
      retry: (afterMs) => this.#proposer.applySoon(afterMs),
      refused: (from, error) => this.host.refused(from, toLarderError(error)),
    };
  }

  #installed(view: ViewDocument, before: ViewDocument | undefined): void {
    this.#incarnations = new Map(view.members.map(({ id, incarnation }) => [id, incarnation]));
    this.#outbox.peers.keep(this.#incarnations);
    this.hearsay.keep(this.#incarnations);
    this.#proposer.installed(view);
    const changes = this.#changes.next(view, before, this.#keeper.openProposals());
    const isRegrouped = before === undefined || !isSameMembership(view, before);
    // First what is not this node's any more, for those who are told of it; then, by the leases, all.
    this.#table.updateAll(changes, isRegrouped);
    this.holdings.install(view, before, changes);
    this.leases.follow(view);
    this.#table.updateAll(changes, isRegrouped);
    this.host.viewInstalled(view);
    if (this.listed) {
      this.wasListed = true;
    } else if (this.wasListed && this.rules.incarnations) {
      this.stop();
      this.host.expelled();
      return;
    }
    this.#proposer.applySoon(0);
  }
}
