import type { ViewDocument } from './view-document.js';

/**
 * Which partitions a node has to look at when the view, or its own open proposals, have changed: of the 1,024 that is a
 * few most times, and each costs microseconds. Placements are compared by identity, see known-views.ts: one that was not
 * recognized costs time and nothing else.
 */
export class ViewChanges {
  /** Those for which some open proposal wants something else than the view. */
  #proposed: ReadonlySet<number> = new Set();

  /** `open`: this node's proposals on top of `view`. `before` is `view` itself if only they have changed. */
  next(view: ViewDocument, before: ViewDocument | undefined, open: readonly ViewDocument[]): number[] {
    const ended = this.#proposed;
    const proposed = new Set<number>();
    for (const proposal of open) for (const partition of differing(proposal, view)) proposed.add(partition);
    this.#proposed = proposed;
    if (before === undefined || !isSameMembership(view, before)) return [...view.partitions.keys()];
    const changed = new Set(before === view ? [] : differing(view, before));
    for (const partition of ended) changed.add(partition);
    for (const partition of proposed) changed.add(partition);
    return [...changed];
  }
}

function differing(one: ViewDocument, other: ViewDocument): number[] {
  const partitions: number[] = [];
  one.partitions.forEach((placement, partition) => {
    if (placement !== other.partitions[partition]) partitions.push(partition);
  });
  return partitions;
}

/** The same processes. */
export function isSameMembership({ members }: ViewDocument, { members: others }: ViewDocument): boolean {
  return (
    members === others ||
    (members.length === others.length &&
      members.every(({ id, incarnation }, at) => id === others[at]!.id && incarnation === others[at]!.incarnation))
  );
}
