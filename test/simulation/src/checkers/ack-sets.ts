import type { Cluster } from '../cluster.js';

/** Invariant 5: what the view store calls the successor is one whose acknowledgement the owner waits for. */
export function checkAckSets(cluster: Cluster): void {
  const view = cluster.chosen;
  if (view === undefined) return;
  view.partitions.forEach(({ owner, ownerCopy, successorCopy, successor }, partition) => {
    const copy = cluster.nodes.get(owner)?.member?.holdings.copies.get(partition);
    if (successorCopy === 0 || copy?.id !== ownerCopy || copy.replicator === undefined) return;
    const follower = copy.replicator.followers.find((candidate) => candidate.copy === successorCopy);
    if (follower?.inAckSet !== true) {
      cluster.fail(`${owner} does not wait for its successor ${successor} of partition ${partition}`);
    }
  });
}
