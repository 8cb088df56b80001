import { assert } from '@larder/base';
import type { CopyEntries } from '../replication/copy-entries.js';
import { Replica } from '../replication/replica.js';
import { Replicator, type ReplicatorHost } from '../replication/replicator.js';
import type { RequestLog } from '../replication/request-log.js';

/**
 * One copy of a partition on this node, from the view that created it to the view that no longer names it. It only ever
 * moves along these lines, and is never rolled back:
 *
 *   learner -> successor -> owner            filled, in sync, promoted or handed the partition
 *   owner -> successor                       after handing over, with an empty window
 *   (new) -> owner                           a fresh, empty copy
 */
export type CopyPhase = 'learner' | 'successor' | 'owner';

export class HeldCopy {
  phase: CopyPhase = 'learner';
  readonly replica: Replica;
  replicator: Replicator | undefined;
  /** As owner: until then it serves nobody. Monotonic. */
  waitUntilMs = Number.NEGATIVE_INFINITY;
  /**
   * Whatever owners before have begun outside of the cluster, such as statements of a database, they began before this
   * time, and it may still take effect. Who hands over ends what it waits for first, so only what it did not wait for may
   * be younger. Monotonic; -Infinity: there was no owner before.
   */
  beforeMineMs = Number.NEGATIVE_INFINITY;
  /** As owner: another node owned it before. What that has begun outside of the cluster may still be under way. */
  isInherited = false;
  #frozenMs: number | undefined;
  /** As owner that stands still: the version of the view that its hand-over was proposed on; 0: it was not yet. */
  offeredVersion = 0;
  /** A hand-over that failed is not tried again before. */
  handOverAfterMs = Number.NEGATIVE_INFINITY;

  constructor(
    readonly partition: number,
    readonly id: number,
    readonly entries: CopyEntries,
    readonly requests: RequestLog,
    seqOrder: boolean,
    /** It stands still to be handed over, or does so no more. */
    readonly frozenChanged: (copy: HeldCopy) => void = () => {},
  ) {
    this.replica = new Replica(partition, id, entries, requests, seqOrder);
  }

  /** As owner: since when it stands still to be handed over. Nothing may become a record of it meanwhile. */
  get frozenMs(): number | undefined {
    return this.#frozenMs;
  }

  /** As owner: nothing was ever written to it, and nothing is about to be. */
  get neverUsed(): boolean {
    const { replicator } = this;
    return replicator !== undefined && replicator.nextSeq === 1 && replicator.idle;
  }

  freeze(nowMs: number): void {
    if (this.#frozenMs !== undefined) return;
    this.#frozenMs = nowMs;
    if (this.replicator !== undefined) this.replicator.isAwaited = true;
    this.frozenChanged(this);
  }

  thaw(): void {
    if (this.#frozenMs === undefined) return;
    this.#frozenMs = undefined;
    if (this.replicator !== undefined) this.replicator.isAwaited = false;
    this.offeredVersion = 0;
    this.frozenChanged(this);
  }

  becomeSuccessor(): void {
    if (this.phase === 'owner') {
      const replicator = this.replicator!;
      assert(replicator.window.length === 0, 'a partition with pending writes was handed over');
      this.replica.continueFrom(replicator.committedSeq);
      replicator.close();
      this.replicator = undefined;
      this.#frozenMs = undefined;
      this.offeredVersion = 0;
    }
    assert(this.replica.complete, 'an incomplete copy became successor');
    this.phase = 'successor';
  }

  becomeOwner(epoch: number, waitUntilMs: number, host: ReplicatorHost): void {
    assert(this.phase !== 'owner', 'the owner became owner');
    const { partition, entries, requests, replica } = this;
    assert(replica.complete, 'an incomplete copy became owner');
    this.replicator = new Replicator(partition, epoch, replica.appliedSeq!, entries, requests, host);
    this.waitUntilMs = waitUntilMs;
    this.phase = 'owner';
  }

  /** A fresh copy has nothing, and all of it. */
  startEmpty(): void {
    this.replica.continueFrom(0);
  }

  drop(): void {
    this.replicator?.close();
    this.replicator = undefined;
    this.entries.clear();
    this.requests.clear();
  }
}
