import { PARTITION_COUNT } from '@larder/proto';

/**
 * Which partitions are this node's own, and which are being dropped. Only entries of owned partitions are evicted and
 * expire; those of other copies stay until a record of their owner says otherwise.
 */
export class PartitionStates {
  readonly #owned: Uint8Array;
  readonly #dropping = new Set<number>();

  constructor(owned: boolean) {
    this.#owned = new Uint8Array(PARTITION_COUNT).fill(owned ? 1 : 0);
  }

  isOwned(partition: number): boolean {
    return this.#owned[partition] === 1;
  }

  setOwned(partition: number, owned: boolean): void {
    this.#owned[partition] = owned ? 1 : 0;
  }

  /** Those that are being dropped, first come first. */
  get dropping(): ReadonlySet<number> {
    return this.#dropping;
  }

  get isAnyDropping(): boolean {
    return this.#dropping.size !== 0;
  }

  isDropping(partition: number): boolean {
    return this.#dropping.size !== 0 && this.#dropping.has(partition);
  }

  beginDrop(partition: number): void {
    this.#dropping.add(partition);
  }

  endDrop(partition: number): void {
    this.#dropping.delete(partition);
  }
}
