import HashRing from 'hashring';

/**
 * The hash ring proposes where partitions live; the view decides. The only importer of `hashring`, whose lookups are
 * slow and cached without bound: it is asked once per partition, for a table.
 */

/** A node's hashes on the ring per unit of weight; hashring makes four points of each. Part of the golden vectors. */
const POINTS_PER_WEIGHT = 40;

export interface RingNode {
  readonly id: string;
  /** Share of the partitions, relative to the others; a whole number from 1. */
  readonly weight?: number;
}

export interface Placement {
  readonly owner: string;
  /** The next distinct node on the ring; absent with a single node. */
  readonly successor: string | undefined;
}

/** The wished-for place of each partition: a pure function of the nodes, whatever their order. */
export function ringPlacements(nodes: readonly RingNode[], partitionCount: number): Placement[] {
  if (nodes.length === 0) return [];
  const ring = hashRing(nodes);
  const placements: Placement[] = [];
  for (let partition = 0; partition < partitionCount; partition++) {
    const [owner, successor] = ring.range(`partition-${partition}`, 2);
    placements.push({ owner: owner as string, successor });
  }
  return placements;
}

/** For each partition the first `count` distinct nodes of its walk along the ring, for placements with bounded loads. */
export function ringOrders(nodes: readonly RingNode[], partitionCount: number, count: number): string[][] {
  if (nodes.length === 0) return [];
  const ring = hashRing(nodes);
  const orders: string[][] = [];
  for (let partition = 0; partition < partitionCount; partition++)
    orders.push(ring.range(`partition-${partition}`, count));
  return orders;
}

function hashRing(nodes: readonly RingNode[]): HashRing {
  const points: Record<string, { weight: number; vnodes: number }> = {};
  for (const node of [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    points[node.id] = { weight: 1, vnodes: POINTS_PER_WEIGHT * (node.weight ?? 1) };
  }
  // hashring ignores a node's own point count where it equals the ring's, so the ring's is one that no node has.
  return new HashRing(points, 'md5', { 'vnode count': 1, 'max cache size': 1 });
}
