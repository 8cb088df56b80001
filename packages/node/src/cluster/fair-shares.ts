import type { ViewMember } from './view-document.js';

/**
 * How many copies, and how many of them as owner, each member should have: by its weight, as far as that can be. A node
 * holds a partition once at most, and where there are zones no zone holds a partition twice; what is above that goes to
 * the others by their weights.
 */
export interface FairShares {
  readonly copies: readonly number[];
  readonly owners: readonly number[];
}

/** `copies`: of each partition, not more than there are members. */
export function fairShares(members: readonly ViewMember[], partitionCount: number, copies: number): FairShares {
  const zones = [...new Set(members.map(({ zone }) => zone))];
  const spread = copies === 2 && zones.length > 1;
  const weightOf = (zone: string): number =>
    members.reduce((sum, member) => sum + (member.zone === zone ? member.weight : 0), 0);
  const sizeOf = (zone: string): number => members.filter((member) => member.zone === zone).length;
  const zoneShares = spillOver(
    copies * partitionCount,
    zones.map(weightOf),
    zones.map((zone) => (spread ? 1 : sizeOf(zone)) * partitionCount),
  );
  const copyShares = new Array<number>(members.length).fill(0);
  zones.forEach((zone, index) => {
    const inside = members.flatMap((member, at) => (member.zone === zone ? [at] : []));
    const weights = inside.map((at) => members[at]!.weight);
    const bounds = inside.map(() => partitionCount);
    const shares = spillOver(zoneShares[index]!, weights, bounds);
    inside.forEach((at, position) => {
      copyShares[at] = shares[position]!;
    });
  });
  const weights = members.map(({ weight }) => weight);
  return { copies: copyShares, owners: spillOver(partitionCount, weights, copyShares) };
}

/** Shares of a total by weight, none above its bound as long as others have room. */
function spillOver(total: number, weights: readonly number[], bounds: readonly number[]): number[] {
  const shares = new Array<number>(weights.length).fill(0);
  let open = weights.map((_, index) => index);
  let left = total;
  while (open.length > 0 && left > 0) {
    const weight = open.reduce((sum, index) => sum + weights[index]!, 0);
    const full = open.filter((index) => (left * weights[index]!) / weight >= bounds[index]!);
    if (full.length === 0) {
      for (const index of open) shares[index] = (left * weights[index]!) / weight;
      return shares;
    }
    for (const index of full) {
      shares[index] = bounds[index]!;
      left -= bounds[index]!;
    }
    open = open.filter((index) => !full.includes(index));
  }
  return shares;
}
