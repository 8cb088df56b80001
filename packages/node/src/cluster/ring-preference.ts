import { ringOrders } from '@larder/proto';
import type { ViewMember } from './view-document.js';

/** Of a walk only the beginning counts: the ring is slow for more, and a plan hardly ever asks behind it. */
const WALK_NODES_MAX = 8;

/**
 * Whom each partition likes best: the order in which a walk along the hash ring meets the nodes, from the partition's
 * place on. Nodes that come and go change little of it.
 */
export class RingPreference {
  /** By partition and node: 0 for the first that is met. */
  readonly #ranks: Uint16Array;
  readonly #nodes: number;

  constructor(nodes: readonly Pick<ViewMember, 'id' | 'weight'>[], partitionCount: number) {
    this.#nodes = nodes.length;
    this.#ranks = new Uint16Array(partitionCount * nodes.length).fill(nodes.length - 1);
    const numbers = new Map(nodes.map(({ id }, number) => [id, number]));
    ringOrders(nodes, partitionCount, Math.min(nodes.length, WALK_NODES_MAX)).forEach((order, partition) => {
      order.forEach((id, rank) => {
        this.#ranks[partition * this.#nodes + numbers.get(id)!] = rank;
      });
    });
  }

  /** From 0 to below 1; the lower, the rather. */
  of(partition: number, node: number): number {
    return this.#ranks[partition * this.#nodes + node]! / this.#nodes;
  }
}

let latest: { readonly key: string; readonly preference: RingPreference } | undefined;

/** The preference of these nodes; the one that was asked for last is kept, as plans of the same nodes follow each other. */
export function ringPreference(
  nodes: readonly Pick<ViewMember, 'id' | 'weight'>[],
  partitionCount: number,
): RingPreference {
  const key = `${partitionCount} ${nodes.map(({ id, weight }) => `${id} ${weight}`).join()}`;
  if (latest?.key !== key) latest = { key, preference: new RingPreference(nodes, partitionCount) };
  return latest.preference;
}
