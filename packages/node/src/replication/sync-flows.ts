/**
 * What is on the way to each node as chunks of snapshots, of all partitions together. Without a bound on that hundreds of
 * small partitions would be sent at once: the last of them waited, in front of heartbeats, for longer than a slow node or
 * network is waited for, was taken for lost, and was sent again behind what still waited. Writes for a copy on that node
 * wait behind it as well, so it is no more than the receiver has done within some milliseconds.
 */

/** Looked at every 5 ms it allows 100 MiB a second; small entries count for more than their bytes, see follower.ts. */
const BYTES_MAX = 512 * 1024;

/** To one node. */
export class SyncFlow {
  bytes = 0;
  /** When a chunk was acknowledged last. */
  movedMs = Number.NEGATIVE_INFINITY;

  get isFull(): boolean {
    return this.bytes >= BYTES_MAX;
  }
}

interface Feeding {
  readonly followers: readonly { readonly node: string; readonly syncing: boolean; readonly syncBytes: number }[];
}

export class SyncFlows {
  readonly #flows = new Map<string, SyncFlow>();

  of(node: string): SyncFlow {
    let flow = this.#flows.get(node);
    if (flow === undefined) {
      flow = new SyncFlow();
      this.#flows.set(node, flow);
    }
    return flow;
  }

  /** Counts anew what is on the way, so that syncs that were given up do not count, and forgets nodes that get none. */
  recount(partitions: readonly Feeding[]): void {
    if (this.#flows.size === 0) return;
    const fed = new Set<string>();
    for (const flow of this.#flows.values()) flow.bytes = 0;
    for (const { followers } of partitions) {
      for (const { node, syncing, syncBytes } of followers) {
        if (!syncing) continue;
        fed.add(node);
        this.of(node).bytes += syncBytes;
      }
    }
    for (const node of this.#flows.keys()) if (!fed.has(node)) this.#flows.delete(node);
  }
}
