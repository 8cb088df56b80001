import { assert } from '@larder/base';
import type { ProtocolRules } from '../cluster/protocol-rules.js';
import type { CopyEntries } from './copy-entries.js';
import { type FollowedPartition, Follower, type FollowerHost } from './follower.js';
import { type CommitSink, type PendingBudget, PendingWindow, PendingWrite } from './pending-window.js';
import type { RequestId } from './record.js';
import { type LoggedRequest, REQUESTS_OF_NODE_MAX, type RequestLog } from './request-log.js';

/**
 * The owner's side of one partition: gives each write its number, holds it as pending, sends it to the ack set, and
 * commits in order when all of the ack set have it.
 *
 * The ack set is the successor, a learner that has its snapshot, and the successors of compare-and-sets whose outcome is
 * open. If it is empty a write commits at once, provided that one copy is enough and the serve rule still holds.
 *
 * How the loader uses it (one turn, nothing is awaited in between):
 *
 *   const partition = member.serving(key.partition)          undefined: answer with member.refusal(key.partition)
 *   GET       storage.find                                   storage holds committed values only, so a hit or a miss is
 *                                                            answered at once
 *   SET       partition.submit(change, sink, ticket)         sink.committed(ticket, epoch, seq, copies) when it may be
 *                                                            answered, possibly before submit returns
 *   compare   partition.latest(cache, key) ?? storage.find   the state that the next write will meet; to answer without
 *                                                            a write of one's own: partition.observe(write, sink, ticket)
 *   retry     partition.applied(request)                     was it applied before? Then its result is there, and
 *             partition.observeRequest(logged, sink, ticket) says when it may be told again
 *
 * A sink serves many writes and tells them apart by its own ticket numbers, say slots of deferred replies: a write costs
 * a record and a PendingWrite, no closure and no promise. EntryMemory.put and remove become submit with the Reply's slot
 * as ticket; their boolean answers come from latest() and storage before the write. A put must be known to fit before it
 * is submitted: after the successor has it, it cannot be refused any more.
 *
 * It does not decide who leads, when a lease ends or who is dropped: the rules do that, and call configure().
 */

export interface Change {
  readonly cache: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly ttlMs: number;
  readonly flags: number;
  readonly request: RequestId | undefined;
  readonly result: number;
}

export interface ReplicatorHost extends FollowerHost {
  readonly rules: ProtocolRules;
  readonly copiesMin: 1 | 2;
  readonly pendingBudget: PendingBudget;
  /** Whether this node may serve the partition right now. */
  serves(partition: number): boolean;
  /** There is something to send at the end of this turn. */
  wantsFlush(replicator: Replicator): void;
}

export interface FollowerPlace {
  readonly node: string;
  readonly copy: number;
}

export class Replicator implements FollowedPartition {
  readonly window: PendingWindow;
  committedSeq: number;
  followers: Follower[] = [];
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
    this.window = new PendingWindow(committedSeq, host.pendingBudget);
  }

  /** False: BUSY, too much is pending. Ask before a submit. */
  get hasRoom(): boolean {
    return this.window.hasRoom && this.requests.budget.count < REQUESTS_OF_NODE_MAX;
  }

  /** Copies that the next write will be on when it is answered. */
  get copies(): number {
    let copies = 1;
    for (const follower of this.followers) if (follower.inAckSet) copies++;
    return copies;
  }

  /** Makes the change the partition's next write. Returns its seq. */
  submit(change: Change, sink: CommitSink | undefined, ticket: number): number {
    assert(!this.#closed, 'a write to a partition that was given up');
    const { window, host } = this;
    const { cache, key, value, ttlMs, flags, request, result } = change;
    const seq = window.nextSeq;
    const record = { epoch: this.epoch, seq, cache, key, value, ttlMs, flags, request, result };
    const nowMs = host.nowMs();
    window.push(new PendingWrite(record, nowMs, sink, ticket));
    this.requests.add(record, nowMs);
    if (!host.rules.committedReads) this.entries.apply(record);
    this.#wantFlush();
    if (this.followers.length === 0 || !host.rules.commitAfterAcks) this.commit();
    return seq;
  }

  /** The pending write that decides what the next write to this key will meet, if there is one. */
  latest(cache: number, key: Uint8Array): PendingWrite | undefined {
    return this.window.latest(cache, key);
  }

  /** The sink hears when the write that was looked at is committed. */
  observe(write: PendingWrite, sink: CommitSink, ticket: number): void {
    write.observers ??= [];
    write.observers.push({ sink, ticket });
  }

  /** The request as it was applied before. 'settled': its client waits no more, and it must not be applied. */
  applied(request: RequestId): LoggedRequest | 'settled' | undefined {
    if (!this.host.rules.dedupe) return undefined;
    const logged = this.requests.find(request);
    return logged === undefined && this.requests.isSettled(request) ? 'settled' : logged;
  }

  /** The request was answered without a write, and must not become one if it comes again. */
  remember(request: RequestId, result: number): void {
    this.requests.put({ ...request, epoch: this.epoch, seq: this.window.nextSeq - 1, result }, this.host.nowMs());
  }

  /** The sink hears when the request that was applied before is committed, maybe at once. */
  observeRequest(logged: LoggedRequest, sink: CommitSink, ticket: number): void {
    const pending = this.window.at(logged.seq);
    if (pending !== undefined) this.observe(pending, sink, ticket);
    else sink.committed(ticket, logged.epoch, logged.seq, this.copies);
  }

  /** The database has this version; followers are told. */
  clean(cache: number, key: Uint8Array, version: { epoch: number; seq: number }): void {
    this.entries.clean(cache, key, version.epoch, version.seq);
    for (const follower of this.followers) {
      const { partition, epoch, host } = this;
      host.send(follower.node, { kind: 'clean', partition, epoch, copy: follower.copy, cache, key, version });
    }
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
    const known = this.followers;
    this.followers = [];
    for (const place of places) {
      if (this.#follower(place.copy) !== undefined) continue;
      const old = known.find(({ copy }) => copy === place.copy);
      // A successor that is not known here was the owner until now: it has all that is committed.
      this.followers.push(old ?? new Follower(place.node, place.copy, this, place === successor));
    }
    for (const follower of this.followers) {
      follower.successor = follower.copy === successor?.copy;
      follower.proposed = proposed.some(({ copy }) => copy === follower.copy);
      if (newEpoch && follower.synced) follower.rewind();
    }
    this.#wantFlush();
    this.commit();
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
    for (const follower of this.followers) follower.flush();
    this.commit();
  }

  /** The stream to a node was opened anew. */
  rewind(node: string): void {
    for (const follower of this.followers) if (follower.node === node) follower.rewind();
    this.#wantFlush();
  }

  /** Every tick: sends again what has been without an answer for too long, and goes on with syncs. */
  tick(resendAfterMs: number, learnerDropAfterMs: number): void {
    const nowMs = this.host.nowMs();
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
    const { window, entries, host } = this;
    const hadPending = window.length > 0;
    while (window.length > 0 && this.committedSeq < this.#committableSeq()) {
      const write = window.shift();
      this.committedSeq = write.record.seq;
      if (host.rules.committedReads) entries.apply(write.record);
      write.committed(this.copies);
    }
    this.#committing = false;
    if (hadPending && window.length === 0) host.settled();
  }

  /** The partition is not this node's any more: nobody knows what will become of the pending writes. */
  close(): void {
    this.#closed = true;
    this.followers = [];
    while (this.window.length > 0) this.window.shift().lost();
  }

  #committableSeq(): number {
    const { host } = this;
    if (!host.rules.commitAfterAcks) return this.window.nextSeq - 1;
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
    return this.followers.find((follower) => follower.copy === copy);
  }

  #wantFlush(): void {
    if (this.#flushWanted) return;
    this.#flushWanted = true;
    this.host.wantsFlush(this);
  }
}
