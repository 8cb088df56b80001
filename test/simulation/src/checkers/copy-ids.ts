import type { Cluster } from '../cluster.js';

/** Invariant 4: a copy id lives in at most one process as owner or successor. */
export function checkCopyIds(cluster: Cluster): void {
  const holders = new Map<number, string>();
  for (const node of cluster.nodes.values()) {
    if (node.member === undefined) continue;
    for (const { id, phase } of node.member.holdings.copies.values()) {
      if (phase === 'learner') continue;
      const holder = holders.get(id);
      if (holder !== undefined) cluster.fail(`copy ${id} lives in ${holder} and ${node.name}`);
      holders.set(id, node.name);
    }
  }
}
