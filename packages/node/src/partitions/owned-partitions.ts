import { type RequestId, RequestResult } from '@larder/loader';
import { LarderError, PARTITION_COUNT } from '@larder/proto';
import type { Member } from '../cluster/member.js';
import type { ServingTable } from '../cluster/serving-table.js';
import type { ReplicatedRecord } from '../replication/record.js';
import type { Replicator } from '../replication/replicator.js';
import type { LoggedRequest } from '../replication/request-log.js';

/**
 * What server and loaders ask about the partitions of this node: whether it may serve one in this turn, where a write to
 * it goes, and what is to be said instead. Behind it is the cluster's member.
 */
export class OwnedPartitions {
  readonly #owners: (Replicator | undefined)[] = new Array(PARTITION_COUNT).fill(undefined);
  #ownedCount = 0;
  #table: ServingTable | undefined;
  #flushScheduled = false;
  /** Partitions that began anew, empty, until that is no news any more. */
  readonly #emptiedUntilMs = new Map<number, number>();

  constructor(
    readonly selfId: string,
    /** Undefined until the node takes part in a cluster. */
    readonly member: () => Member | undefined,
    /** Sends what the links hold, at the end of a turn in which the member was told or asked something. */
    readonly sendAll: () => void,
  ) {}

  get ownedCount(): number {
    return this.#ownedCount;
  }

  /** Call it first in every turn that asks `serves`: leases are looked at once a turn. */
  beginTurn(): void {
    this.#table = this.member()?.beginTurn();
  }

  /** Whether the partition may be read and written in this turn, which `beginTurn` has begun. */
  serves(partition: number): boolean {
    return this.#table?.serves(partition) ?? false;
  }

  /** The same in a turn that nobody has begun. */
  servesNow(partition: number): boolean {
    return this.member()?.serves(partition) ?? false;
  }

  /** Whether what was begun for the partition may be ended in this turn: no other node can own it. */
  keeps(partition: number): boolean {
    return this.member()?.keeps(partition) ?? false;
  }

  /** Where writes of the partition go while the view says that it is this node's. */
  owner(partition: number): Replicator | undefined {
    return this.#owners[partition];
  }

  /** The answer to a call for a partition that this node does not serve. */
  refusal(partition: number): LarderError {
    const member = this.member();
    if (member !== undefined) return member.refusal(partition);
    return new LarderError('UNAVAILABLE', `node ${this.selfId} has not joined a cluster yet`, {
      outcome: 'not-applied',
      node: this.selfId,
    });
  }

  /** Why a write of the partition, which this node serves, cannot be taken now; undefined if it can. */
  writeRefusal(partition: number): LarderError | undefined {
    const replicator = this.#owners[partition]!;
    const copiesMin = this.member()!.copiesMin;
    if (replicator.copies < copiesMin) {
      const message = `partition ${partition} has one copy only, and the cluster takes no writes below two`;
      return this.#busy(message, { viewVersion: this.member()!.view!.version });
    }
    return replicator.hasRoom
      ? undefined
      : this.#busy(`too many writes of partition ${partition} wait for its other copy`);
  }

  /**
   * What became of a request that has come before; undefined: it is new. An error with unknown outcome if that cannot be
   * told any more.
   */
  applied(
    partition: number,
    request: RequestId,
    isRetry: boolean,
    lost: number,
  ): LoggedRequest | LarderError | undefined {
    const logged = this.#owners[partition]!.applied(request);
    if (logged === undefined && isRetry && lost !== this.member()!.view!.partitions[partition]!.lost) {
      return this.#untold(`partition ${partition} was lost meanwhile, and with it what became of the write`);
    }
    if (logged === 'settled') return this.#untold('the client has given this request up before');
    return logged?.result === RequestResult.refused ? undefined : logged;
  }

  /** The answer to a request that has begun here or on another node, and that nobody knows the end of. */
  begunError(): LarderError {
    return this.#untold('the origin was being written when the node that did so was lost');
  }

  submit(replicator: Replicator, record: ReplicatedRecord): void {
    replicator.submit(record);
    this.scheduleFlush();
  }

  /** What this turn of the event loop has brought up, from all clients and nodes, is sent together. */
  scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(this.#flush);
  }

  ownerChanged(partition: number, replicator: Replicator | undefined): void {
    const before = this.#owners[partition];
    this.#ownedCount += (replicator === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    this.#owners[partition] = replicator;
  }

  /** The partition began anew, empty, because both of its copies were lost. */
  emptied(partition: number, untilMs: number): void {
    this.#emptiedUntilMs.set(partition, untilMs);
  }

  isEmptied(partition: number): boolean {
    return this.#emptiedUntilMs.size !== 0 && this.#emptiedUntilMs.has(partition);
  }

  forgetEmptied(nowMs: number): void {
    for (const [partition, untilMs] of this.#emptiedUntilMs) {
      if (untilMs <= nowMs) this.#emptiedUntilMs.delete(partition);
    }
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    this.member()?.flush();
    this.sendAll();
  };

  #untold(message: string): LarderError {
    return new LarderError('UNAVAILABLE', message, { outcome: 'unknown', node: this.selfId, details: { final: true } });
  }

  /** With a view version it is not that there is too much to do: the partition waits for another view. */
  #busy(message: string, details?: { readonly viewVersion: number }): LarderError {
    return new LarderError('BUSY', message, { outcome: 'not-applied', node: this.selfId, details });
  }
}
