/**
 * Partitions by their pair of owner and successor. How much better the balance is when the two change places is the same
 * for all partitions of a pair, and pairs are few: so the best partition is found without a look at each of 1,024, once
 * for every one that is turned.
 */
export class PlacementPairs {
  /** By owner times the count of nodes plus successor; each in rising order. */
  readonly #partitions = new Map<number, number[]>();

  /** Every partition has both. */
  constructor(
    readonly nodeCount: number,
    owners: Int16Array,
    successors: Int16Array,
  ) {
    owners.forEach((owner, partition) => {
      this.#listOf(owner, successors[partition]!).push(partition);
    });
  }

  /** The partition of the highest gain above 0, and of several the first; -1 if there is none. */
  best(gainOf: (owner: number, successor: number) => number): number {
    let best = -1;
    let bestGain = 0;
    for (const [pair, [first]] of this.#partitions) {
      const gain = first === undefined ? 0 : gainOf(Math.floor(pair / this.nodeCount), pair % this.nodeCount);
      if (gain < bestGain || gain === 0 || (gain === bestGain && first! > best)) continue;
      best = first!;
      bestGain = gain;
    }
    return best;
  }

  /** Owner and successor of the partition have changed places: it was the first of its pair. */
  turned(owner: number, successor: number): void {
    const partition = this.#listOf(successor, owner).shift()!;
    const list = this.#listOf(owner, successor);
    const later = list.findIndex((other) => other > partition);
    list.splice(later < 0 ? list.length : later, 0, partition);
  }

  #listOf(owner: number, successor: number): number[] {
    const pair = owner * this.nodeCount + successor;
    let list = this.#partitions.get(pair);
    if (list === undefined) {
      list = [];
      this.#partitions.set(pair, list);
    }
    return list;
  }
}
