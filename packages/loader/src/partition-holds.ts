import type { EntryMemory } from './entry-memory.js';

/**
 * The partitions of the rows of one batch, which stay with this node until the origin has answered: whoever got one of
 * them meanwhile could write a newer row before the older one, on its way from here, arrives.
 */
export class PartitionHolds {
  readonly #releases = new Map<number, () => void>();

  constructor(readonly memory: EntryMemory) {}

  add(partition: number): void {
    if (!this.#releases.has(partition)) this.#releases.set(partition, this.memory.keepBack(partition));
  }

  release(): void {
    for (const release of this.#releases.values()) release();
    this.#releases.clear();
  }
}
