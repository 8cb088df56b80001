import type { ViewDocument } from '@larder/node/internal';
import type { Cluster } from '../cluster.js';

/** Invariant 3: versions and epochs never fall, and an epoch grows whenever owner or successor changes. */
export function checkMonotonic(cluster: Cluster, view: ViewDocument, before: ViewDocument | undefined): void {
  if (before === undefined) return;
  if (view.cluster !== before.cluster) cluster.fail(`the cluster was founded twice`);
  view.partitions.forEach((after, partition) => {
    const old = before.partitions[partition]!;
    if (after.epoch < old.epoch) cluster.fail(`the epoch of partition ${partition} fell to ${after.epoch}`);
    const moved = after.ownerCopy !== old.ownerCopy || after.successorCopy !== old.successorCopy;
    if (moved && after.epoch === old.epoch) cluster.fail(`partition ${partition} moved within epoch ${old.epoch}`);
    if (after.lost < old.lost) cluster.fail(`the lost count of partition ${partition} fell`);
    const consecutive = view.version === before.version + 1;
    if (consecutive && after.origin === 'fresh' && after.ownerCopy !== old.ownerCopy && after.lost === old.lost) {
      cluster.fail(`partition ${partition} was emptied and the loss not counted`);
    }
  });
}
