/**
 * Finds two nodes that serve one partition at the same time, from what each says of itself at moments of its own.
 *
 * An epoch has one owner, and epochs only grow. So it is wrong if two nodes serve under one epoch; and if a node still
 * serves under an epoch after another was seen to serve under a later one. "After" means that the question was asked when
 * the other's answer had come: answers whose times overlap prove nothing.
 */
export interface OwnerSighting {
  readonly node: string;
  readonly incarnation: string;
  /** Between these two the node looked. Monotonic clock of the one who asked. */
  readonly askedMs: number;
  readonly answeredMs: number;
  /** What it serves: partition and epoch. */
  readonly served: readonly { readonly partition: number; readonly epoch: number }[];
}

export interface DoubleOwner {
  readonly partition: number;
  readonly nodes: readonly [string, string];
  readonly epochs: readonly [number, number];
}

interface Latest {
  readonly node: string;
  readonly incarnation: string;
  readonly epoch: number;
  /** When it was first known that this epoch serves. */
  readonly knownMs: number;
}

const FOUND_MAX = 1_000;

export class OwnerWatch {
  /** At most 1,000 are kept. */
  readonly found: DoubleOwner[] = [];
  readonly #latest = new Map<number, Latest>();

  add(sighting: OwnerSighting): void {
    for (const { partition, epoch } of sighting.served) this.#addOne(sighting, partition, epoch);
  }

  #addOne(sighting: OwnerSighting, partition: number, epoch: number): void {
    const { node, incarnation, askedMs, answeredMs } = sighting;
    const latest = this.#latest.get(partition);
    if (latest === undefined || epoch > latest.epoch) {
      this.#latest.set(partition, { node, incarnation, epoch, knownMs: answeredMs });
      return;
    }
    if (latest.incarnation === incarnation) return;
    const isSameEpoch = epoch === latest.epoch;
    if (!isSameEpoch && askedMs <= latest.knownMs) return;
    if (this.found.length < FOUND_MAX) {
      this.found.push({ partition, nodes: [latest.node, node], epochs: [latest.epoch, epoch] });
    }
  }
}
