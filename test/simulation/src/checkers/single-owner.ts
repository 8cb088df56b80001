import type { Cluster } from '../cluster.js';
import type { SimulatedNode } from '../simulated-node.js';

/** Invariant 1: at most one running node satisfies the serve rule for a partition. */
export function checkSingleOwner(cluster: Cluster, partition: number, node: SimulatedNode): void {
  if (!node.running || !node.member!.serves(partition)) return;
  for (const other of cluster.nodes.values()) {
    if (other === node || !other.running || !other.member!.serves(partition)) continue;
    cluster.fail(`both ${node.name} and ${other.name} serve partition ${partition}`);
  }
}
