import { assert, BoundedQueue } from '@larder/base';
import { EntryFlag } from '@larder/loader';
import type { ProtocolRules } from '../cluster/protocol-rules.js';
import type { CopyEntries } from './copy-entries.js';
import { type FollowedPartition, Follower, type FollowerHost } from './follower.js';
import { type CommitSink, type PendingBudget, PendingWindow, PendingWrite } from './pending-window.js';
import { hasValue, isInvalidation, type ReplicatedRecord, type RequestId } from './record.js';
import type { LoggedRequest, RequestLog } from './request-log.js';

/**
 * The owner's side of one partition: sends each record to the ack set, and commits in order when all of the ack set
 * have it. The owner's own entries are changed first, in the turn in which the record is submitted; what waits for the
 * commit is every *answer*, those of readers included, so that nobody hears of what may still be lost.
 *
 * The ack set is the successor, a learner that has its snapshot, and the successors of compare-and-sets whose outcome is
 * open. If it is empty a record commits at once, provided that one copy is enough and the serve rule still holds.
 *
 * How an owner uses it (one turn, nothing is awaited in between):
 *
 *   const partition = member.serving(key.partition)     undefined: answer with member.refusal(key.partition)
 *   SET       write the entry under the version (partition.epoch, partition.nextSeq), and submit a record of that version;
 *             partition.observe(seq, sink, ticket) tells the sink when it may be answered, maybe at once
 *   GET hit   entry seq <= partition.committedSeq: answer. Else copy the value and observe the entry's seq
 *   GET miss  partition.lastRemovalSeq <= partition.committedSeq: answer. Else observe lastRemovalSeq
 *   other     a compare-and-set that fails, a delete of what is not there: as the GET that it is
 *   retry     partition.applied(request)                was it applied before? Then its result is there, and
 *             partition.observeRequest(logged, sink, ticket) says when it may be told again
 *   eviction  the entry goes, and a record without value and request is submitted, also while `hasRoom` is false. While
 *   expiry    the partition stands still to be handed over nothing may be evicted: see MemberHost.ownerChanged
 *
 * A statement of the origin (write-through, write-around) that changes a row under an entry:
 *
 *   1. partition.hold(); a record *forget* (no value, flag `unsure`, with the request id and a result that says "begun")
 *      makes followers drop the key, while the owner keeps its entry and marks it unsure. So a new owner finds nothing.
 *   2. once that is committed, and if the partition is still served, the statement starts.
 *   3. the value is put, as a normal record with the request id and its result; or the old state is, if the origin
 *      refused; or the entry is removed, if the outcome is unknown. Then partition.release(). This goes by
 *      member.owning(partition), not by the serve rule: a partition that stands still waits for what holds it.
 *
 * Loads of a key whose statement is under way are answered and not kept; so are all loads of a partition that was taken
 * over from an owner that died, until no statement of that owner can be alive.
 *
 * A sink serves many waits and tells them apart by its own ticket numbers, say slots of deferred replies: a write costs
 * its record and a PendingWrite, no closure and no promise.
 *
 * It does not decide who leads, when a lease ends or who is dropped: the rules do that, and call configure().
 */

export interface ReplicatorHost extends FollowerHost {
  readonly rules: ProtocolRules;
  readonly copiesMin: 1 | 2;
  readonly pendingBudget: PendingBudget;
  /** Whether this node may serve the partition right now. */
  serves(partition: number): boolean;
  /** There is something to send at the end of this turn. */
  wantsFlush(replicator: Replicator): void;
}

/** What the database has got. Followers do not acknowledge it, so it is said again when a stream breaks. */
interface Cleaned {
  readonly cache: number;
  readonly key: Uint8Array;
  readonly version: { readonly epoch: number; readonly seq: number };
  readonly atMs: number;
}

/**
 * Kept of them for as long as a silent successor stays one, twice; of more the oldest are not said again, and stay dirty
 * on that copy until the key is written or removed.
 */
const CLEANED_MAX = 1_024;

export interface FollowerPlace {
  readonly node: string;
  readonly copy: number;
}

export class Replicator implements FollowedPartition {
  readonly window: PendingWindow;
  /** Everything up to here is on all of the ack set. */
  committedSeq: number;
  /** The last record that took an entry away; who finds nothing has seen no later one. */
  lastRemovalSeq: number;
  followers: Follower[] = [];
  /** The one of them, where it is just one: what each write asks needs no look into the array then. */
  #onlyFollower: Follower | undefined = undefined;
  /** A rule waits for it to be idle. */
  isAwaited = false;
  #holds = 0;
  #cleaned: BoundedQueue<Cleaned> | undefined;
  #flushWanted = false;
  #committing = false;
  #closed = false;

  constructor(
    readonly partition: number,
    public epoch: number,
    committedSeq: number,
    readonly entries: CopyEntries,
    readonly requests: RequestLog,
    readonly host: ReplicatorHost,
  ) {
    this.committedSeq = committedSeq;
    this.lastRemovalSeq = committedSeq;
    this.window = new PendingWindow(committedSeq, host.pendingBudget);
  }

  /** False: BUSY, too much is pending. Ask before a submit. */
  get hasRoom(): boolean {
    return this.window.hasRoom && this.requests.table.hasRoom;
  }

  /** Copies that the next write will be on when it is answered. */
  get copies(): number {
    if (this.#onlyFollower !== undefined) return this.#onlyFollower.inAckSet ? 2 : 1;
    let copies = 1;
    for (const follower of this.followers) if (follower.inAckSet) copies++;
    return copies;
  }

  /** Nobody follows and nothing waits: a change needs a version, but no record. */
  get isAlone(): boolean {
    return this.followers.length === 0 && this.window.length === 0 && this.host.copiesMin === 1;
  }

  /** While alone, instead of a submit: the entries were changed under `nextSeq`. */
  advance(request?: RequestId, result = 0): void {
    assert(this.isAlone, 'a change without a record while others follow');
    const seq = this.window.skip();
    this.committedSeq = seq;
    if (request !== undefined) this.requests.log(request, this.epoch, seq, result);
  }

  /** The seq of the next record. */
  get nextSeq(): number {
    return this.window.nextSeq;
  }

  /** Whether it can be handed over: nothing is pending, and nothing holds it. */
  get idle(): boolean {
    return this.window.length === 0 && this.#holds === 0;
  }

  /**
   * Makes the record the partition's next; its state is in the entries already, under the record's version, which must
   * be (epoch, nextSeq). Key and value belong to the replicator from then on. Returns the seq.
   *
   * A write is submitted only if `hasRoom`. Removals by the owner are submitted always, since what is gone cannot be
   * brought back; as each takes an entry, there are never more of them pending than entries that the partition had.
   */
  submit(record: ReplicatedRecord): number {
    const { window, host } = this;
    const { seq } = record;
    assert(!this.#closed, 'a write to a partition that was given up');
    assert(seq === window.nextSeq && record.epoch === this.epoch, 'a record of another version than the next');
    window.push(new PendingWrite(record, host.nowMs()));
    const removes = !hasValue(record) && (record.flags & EntryFlag.unsure) === 0;
    if (removes || isInvalidation(record)) this.lastRemovalSeq = seq;
    this.requests.add(record);
    this.#wantFlush();
    if ((this.#onlyFollower === undefined && this.followers.length === 0) || !host.rules.commitAfterAcks) this.commit();
    return seq;
  }

  /** The sink hears once everything up to this seq is committed: at once, before this returns, if it is. */
  observe(seq: number, sink: CommitSink, ticket: number): void {
    if (seq <= this.committedSeq) {
      sink.committed(ticket, this.copies);
      return;
    }
    const pending = this.window.at(seq);
    if (pending === undefined) {
      assert(this.#closed, 'a wait for a record that was never made');
      sink.lost(ticket);
    } else {
      pending.observe(sink, ticket);
    }
  }

  /** Something is under way that must end on this owner: the partition is not handed over until it is released. */
  hold(): void {
    this.#holds++;
  }

  release(): void {
    assert(this.#holds > 0, 'a partition was released that nothing held');
    this.#holds--;
    if (this.#holds === 0 && !this.#closed && this.isAwaited) this.host.settled();
  }

  /** The request as it was applied before. 'settled': its client waits no more, and it must not be applied. */
  applied(request: RequestId): LoggedRequest | 'settled' | undefined {
    if (!this.host.rules.dedupe) return undefined;
    const logged = this.requests.find(request);
    return logged === undefined && this.requests.isSettled(request) ? 'settled' : logged;
  }

  /** The request was answered without a write, and must not become one if it comes again. */
  remember(request: RequestId, result: number): void {
    this.requests.log(request, this.epoch, this.window.nextSeq - 1, result);
  }

  /** The sink hears when the request that was applied before is committed, maybe at once. */
  observeRequest(logged: LoggedRequest, sink: CommitSink, ticket: number): void {
    this.observe(logged.seq, sink, ticket);
  }

  /** The database has this version; followers are told. */
  clean(cache: number, key: Uint8Array, version: { epoch: number; seq: number }): void {
    this.entries.clean(cache, key, version.epoch, version.seq);
    if (this.followers.length === 0) return;
    const cleaned = { cache, key, version, atMs: this.host.nowMs() };
    this.#cleaned ??= new BoundedQueue(CLEANED_MAX);
    if (!this.#cleaned.push(cleaned)) {
      this.#cleaned.shift();
      this.#cleaned.push(cleaned);
    }
    for (const follower of this.followers) this.#tellCleaned(follower, cleaned);
  }

  #repeatCleaned(follower: Follower): void {
    const { length = 0 } = this.#cleaned ?? {};
    for (let left = length; left > 0; left--) {
      const cleaned = this.#cleaned!.shift()!;
      this.#cleaned!.push(cleaned);
      this.#tellCleaned(follower, cleaned);
    }
  }

  #forgetCleaned(beforeMs: number): void {
    const cleaned = this.#cleaned;
    if (cleaned === undefined) return;
    while (cleaned.length > 0 && cleaned.peek()!.atMs < beforeMs) cleaned.shift();
  }

  #tellCleaned({ node, copy }: Follower, { cache, key, version }: Cleaned): void {
    const { partition, epoch, host } = this;
    host.send(node, { kind: 'clean', partition, epoch, copy, cache, key, version });
  }

  /** The view or an open proposal has changed who follows. Known copies go on where they are. */
  configure(
    epoch: number,
    successor: FollowerPlace | undefined,
    learner: FollowerPlace | undefined,
    proposed: readonly FollowerPlace[],
  ): void {
    const newEpoch = epoch !== this.epoch;
    this.epoch = epoch;
    const places = [successor, learner, ...proposed].filter((place) => place !== undefined);
    const followers: Follower[] = [];
    for (const place of places) {
      if (followers.some(({ copy }) => copy === place.copy)) continue;
      // A successor that is not known here was the owner until now, or begins with the partition: it has all that is committed.
      const isSynced = place === successor || (place !== learner && this.nextSeq === 1);
      followers.push(this.#follower(place.copy) ?? new Follower(place.node, place.copy, this, isSynced));
    }
    this.#feed(followers);
    for (const follower of followers) {
      follower.successor = follower.copy === successor?.copy;
      follower.proposed = proposed.some(({ copy }) => copy === follower.copy);
      if (newEpoch && follower.synced) follower.rewind();
    }
    this.#wantFlush();
    this.commit();
  }

  #feed(followers: Follower[]): void {
    this.followers = followers;
    this.#onlyFollower = followers.length === 1 ? followers[0] : undefined;
  }

  /** Some copy has not got its snapshot yet. */
  get isFilling(): boolean {
    for (const { synced } of this.followers) if (!synced) return true;
    return false;
  }

  /** Goes on with snapshots in this turn. */
  fill(): void {
    this.#wantFlush();
  }

  acknowledged(copy: number, attempt: number, seq: number): void {
    this.#follower(copy)?.acknowledged(attempt, seq);
    this.commit();
  }

  chunkAcknowledged(copy: number, attempt: number, chunk: number, seq: number): void {
    this.#follower(copy)?.chunkAcknowledged(attempt, chunk, seq);
    this.#wantFlush();
    this.commit();
  }

  /** Whether the learner has everything that is committed, and no commit can pass it by any more. */
  caughtUp(copy: number): boolean {
    if (!this.host.rules.caughtUpLearner) return true;
    const follower = this.#follower(copy);
    return follower?.synced === true && follower.ackedSeq >= this.committedSeq;
  }

  /** When the oldest write was made that this copy has not acknowledged; Infinity if there is none. */
  oldestUnackedMs(copy: number): number {
    return this.#follower(copy)?.oldestUnackedMs ?? Number.POSITIVE_INFINITY;
  }

  /** Sends what this turn has brought up. */
  flush(): void {
    this.#flushWanted = false;
    if (this.#onlyFollower !== undefined) this.#onlyFollower.flush();
    else for (const follower of this.followers) follower.flush();
    this.commit();
  }

  /** The stream to a node was opened anew. */
  rewind(node: string): void {
    for (const follower of this.followers) {
      if (follower.node !== node) continue;
      follower.rewind();
      this.#repeatCleaned(follower);
    }
    this.#wantFlush();
  }

  /** Every tick: sends again what has been without an answer for too long, and goes on with syncs. */
  tick(resendAfterMs: number, learnerDropAfterMs: number): void {
    const nowMs = this.host.nowMs();
    this.#forgetCleaned(nowMs - 2 * learnerDropAfterMs);
    for (const follower of this.followers) {
      if (nowMs - follower.stuckSinceMs > resendAfterMs) follower.rewind();
      this.#releaseSlowLearner(follower, nowMs - learnerDropAfterMs);
    }
    if (this.followers.length > 0) this.#wantFlush();
    this.commit();
  }

  /** Commits what may be committed. Sinks may submit more while they are told. */
  commit(): void {
    if (this.#committing || this.#closed) return;
    this.#committing = true;
    const { window } = this;
    const hadPending = window.length > 0;
    while (window.length > 0 && this.committedSeq < this.#committableSeq()) {
      const write = window.shift();
      this.committedSeq = write.seq;
      write.committed(this.copies);
    }
    this.#committing = false;
    if (this.isAwaited && hadPending && window.length === 0) this.host.settled();
  }

  /** The partition is not this node's any more: nobody knows what will become of the pending records. */
  close(): void {
    this.#closed = true;
    this.#feed([]);
    while (this.window.length > 0) this.window.shift().lost();
  }

  #committableSeq(): number {
    const { host } = this;
    if (!host.rules.commitAfterAcks) return this.window.nextSeq - 1;
    // All acknowledged in its ack set are pending records of the window.
    if (this.#onlyFollower?.inAckSet) return this.#onlyFollower.ackedSeq;
    let acked = Number.POSITIVE_INFINITY;
    let copies = 1;
    for (const follower of this.followers) {
      if (follower.inAckSet) copies++;
      if (follower.inAckSet) acked = Math.min(acked, follower.ackedSeq);
      else if (follower.syncing) acked = Math.min(acked, follower.sentSeq);
    }
    if (copies < host.copiesMin || (copies === 1 && !host.serves(this.partition))) return this.committedSeq;
    return Math.min(acked, this.window.nextSeq - 1);
  }

  /** A learner that holds writes up leaves the ack set and begins again, unless it may be the successor already. */
  #releaseSlowLearner(follower: Follower, madeBeforeMs: number): void {
    if (follower.successor || follower.proposed || !follower.synced) return;
    if (follower.oldestUnackedMs < madeBeforeMs) follower.restart();
  }

  #follower(copy: number): Follower | undefined {
    if (this.#onlyFollower?.copy === copy) return this.#onlyFollower;
    return this.followers.find((follower) => follower.copy === copy);
  }

  #wantFlush(): void {
    if (this.#flushWanted) return;
    this.#flushWanted = true;
    this.host.wantsFlush(this);
  }
}
