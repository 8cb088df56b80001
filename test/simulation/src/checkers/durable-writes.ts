import { hasValue, isInvalidation, packedKey, type ReplicatedRecord, type ViewDocument } from '@larder/node/internal';
import type { Cluster } from '../cluster.js';
import { keyText, type SimulatedEntries } from '../simulated-entries.js';

/**
 * Invariant 2: what was committed, and so may have been acknowledged, is on the owner and on the successor that the view
 * store names, as long as the partition is not declared lost.
 */
export class DurableWrites {
  /** By partition, then by key: the last committed record. */
  readonly #last: Map<string, ReplicatedRecord>[];
  /** Commits of earlier epochs went down with what was lost. */
  readonly #lostBelowEpoch: number[];

  constructor(readonly cluster: Cluster) {
    const { partitions } = cluster.options;
    this.#last = Array.from({ length: partitions }, () => new Map());
    this.#lostBelowEpoch = new Array(partitions).fill(0);
  }

  committed(partition: number, record: ReplicatedRecord): void {
    if (record.epoch < this.#lostBelowEpoch[partition]!) return;
    if (isInvalidation(record)) {
      this.#invalidated(partition, record);
      return;
    }
    const key = keyText(packedKey(record));
    const last = this.#last[partition]!.get(key);
    if (last === undefined || isNewer(record, last)) this.#last[partition]!.set(key, record);
  }

  /** Copies that were begun later need not know of it. */
  #invalidated(partition: number, record: ReplicatedRecord): void {
    const all = this.#last[partition]!;
    for (const [key, last] of all) {
      if (last.cache === record.cache && hasValue(last) && isNewer(record, last)) all.set(key, record);
    }
  }

  viewChosen(view: ViewDocument, before: ViewDocument | undefined): void {
    view.partitions.forEach(({ lost, epoch }, partition) => {
      if (lost === (before === undefined ? 0 : before.partitions[partition]!.lost)) return;
      this.#last[partition]!.clear();
      this.#lostBelowEpoch[partition] = epoch;
      this.cluster.world.fault('lost', () => `partition ${partition}`);
      for (const { name, strategy } of this.cluster.keys[partition]!) {
        // What the database has is never lost.
        if (strategy === 'through') continue;
        this.cluster.history.begin(name, { kind: 'lose' }, 'view', this.cluster.world.now);
      }
    });
    this.check();
  }

  /** The last committed record of each key of a partition. */
  lastOf(partition: number): ReadonlyMap<string, ReplicatedRecord> {
    return this.#last[partition]!;
  }

  check(): void {
    const view = this.cluster.chosen;
    if (view === undefined) return;
    view.partitions.forEach(({ owner, ownerCopy, successor, successorCopy }, partition) => {
      this.#checkCopy(partition, owner, ownerCopy);
      if (successorCopy !== 0) this.#checkCopy(partition, successor, successorCopy);
    });
  }

  #checkCopy(partition: number, node: string, id: number): void {
    const copy = this.cluster.nodes.get(node)?.member?.holdings.copies.get(partition);
    if (copy === undefined || copy.id !== id) return;
    const entries = copy.entries as SimulatedEntries;
    const committedSeq = copy.replicator?.committedSeq ?? 0;
    for (const [key, last] of this.#last[partition]!) {
      const forgotten = !hasValue(last) ? undefined : entries.invalidated.get(last.cache);
      const held = entries.last(key) ?? forgotten;
      // A successor that took over has made its own what was pending at the owner before.
      if (held !== undefined && held.seq <= committedSeq) this.committed(partition, held);
      // What an invalidation finds gone it does not take away once more.
      if (isInvalidation(last) && held !== undefined && !hasValue(held)) continue;
      if (held === undefined ? !hasValue(last) : !isNewer(last, held)) continue;
      this.cluster.fail(
        `${node} lacks ${key} of version ${last.epoch}.${last.seq}; it has ${held === undefined ? 'nothing' : `${held.epoch}.${held.seq}`}`,
      );
    }
  }
}

function isNewer(a: ReplicatedRecord, b: ReplicatedRecord): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);
}
