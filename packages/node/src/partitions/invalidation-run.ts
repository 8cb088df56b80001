import type { TagHashes } from '@larder/loader';
import { PARTITION_COUNT } from '@larder/proto';
import type { NodeCache } from '../caches.js';
import type { CommitSink } from '../replication/pending-window.js';
import type { OwnedPartitions } from './owned-partitions.js';

/** A partition is a record and its share of a frame: with 128 of them a turn takes well below a millisecond. */
const PARTITIONS_PER_TURN = 128;
/** A bit for each partition. */
export const PARTITION_SET_BYTES = PARTITION_COUNT / 8;
/** Invalidations of clients that a node carries out at a time. At the bound: BUSY. */
const RUNS_MAX = 256;

/** How many are under way on a node. */
export interface InvalidationBudget {
  count: number;
}

/**
 * One invalidation that a client has asked for, in all partitions that it wants and this node serves, some of them a turn.
 * It is done in a partition when the other copies know of it too; so does whoever took the partition over before it was done
 * there, or the client hears that it was not, and goes there.
 */
export class InvalidationRun implements CommitSink {
  /** Where it is done. */
  readonly #done = Buffer.alloc(PARTITION_SET_BYTES);
  /** Partitions that had something to forget. */
  #count = 0;
  #next = 0;
  /** Partitions that wait for their copies, and one until all have had their turn. */
  #waiting = 1;

  /** False: too many are under way. `wanted` undefined: all partitions. */
  static start(
    budget: InvalidationBudget,
    partitions: OwnedPartitions,
    cache: NodeCache,
    tags: TagHashes | undefined,
    wanted: Uint8Array | undefined,
    ownerOnly: boolean,
    ended: (count: number, done: Uint8Array) => void,
  ): boolean {
    if (budget.count >= RUNS_MAX) return false;
    budget.count++;
    const run = new InvalidationRun(partitions, cache, tags, wanted, ownerOnly, (count, done) => {
      budget.count--;
      ended(count, done);
    });
    cache.loader.beginInvalidation(tags);
    run.#step();
    return true;
  }

  private constructor(
    readonly partitions: OwnedPartitions,
    readonly cache: NodeCache,
    readonly tags: TagHashes | undefined,
    readonly wanted: Uint8Array | undefined,
    readonly ownerOnly: boolean,
    readonly ended: (count: number, done: Uint8Array) => void,
  ) {}

  committed(partition: number): void {
    this.#done[partition >>> 3]! |= 1 << (partition & 7);
    this.#release();
  }

  lost(): void {
    this.#release();
  }

  /** The first partitions have their turn within the call. */
  readonly #step = (): void => {
    this.partitions.beginTurn();
    const end = this.#next + PARTITIONS_PER_TURN;
    for (; this.#next < end; this.#next++) if (this.#isWanted(this.#next)) this.#invalidate(this.#next);
    if (this.#next < PARTITION_COUNT) setImmediate(this.#step);
    else this.#release();
  };

  #invalidate(partition: number): void {
    const { partitions, cache } = this;
    if (!partitions.serves(partition) || partitions.writeRefusal(partition) !== undefined) return;
    if (cache.loader.invalidate(partition, this.tags)) this.#count++;
    const replicator = partitions.owner(partition)!;
    // Also where there was nothing left to forget: the end of the last entry may still be on its way to the other copies.
    const seq = this.ownerOnly ? 0 : replicator.nextSeq - 1;
    this.#waiting++;
    replicator.observe(seq, this, partition);
  }

  #isWanted(partition: number): boolean {
    return this.wanted === undefined || (this.wanted[partition >>> 3]! & (1 << (partition & 7))) !== 0;
  }

  #release(): void {
    if (--this.#waiting === 0) this.ended(this.#count, this.#done);
  }
}
