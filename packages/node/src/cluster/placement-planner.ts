import { ringOrders } from '@larder/proto';
import type { ViewMember } from './view-document.js';

/**
 * Where partitions should be: a pure function of the members that are up and their weights, so that every node plans
 * the same. Each partition goes to the first node on the ring, in the order of its own walk, that has room; its
 * successor is the next one that has room, in another zone where there is one. Room is bounded (consistent hashing with
 * bounded loads, Mirrokni, Thorup, Zadimoghaddam 2016): a node takes at most LOAD_MAX of its share of owners and of
 * copies. A ring of 160 points a node would put up to 1.25 of the mean on one.
 *
 * The plan only proposes. A view that differs from it is served all the same while partitions move one by one.
 */

/** 1.15 of the mean is promised; rounding to whole partitions needs a little below it. */
const LOAD_MAX = 1.12;
/** Nodes of a partition's walk that are looked at before any node with room is taken. */
const WALK_MAX = 8;

export interface PlannedPlace {
  readonly owner: string;
  /** '' with a single node. */
  readonly successor: string;
}

export function planPlacements(members: readonly ViewMember[], partitionCount: number): PlannedPlace[] {
  const up = members.filter((member) => !member.draining);
  if (up.length === 0) return [];
  const orders = ringOrders(up, partitionCount, Math.min(WALK_MAX, up.length));
  const loads = new Loads(up, partitionCount);
  return orders.map((order) => {
    const owner = loads.place(order, 'owners', undefined);
    const successor = up.length === 1 ? '' : loads.place(order, 'successors', owner);
    return { owner: owner.id, successor: successor === '' ? '' : successor.id };
  });
}

interface Load {
  readonly id: string;
  readonly zone: string;
  readonly most: number;
  owners: number;
  successors: number;
}

class Loads {
  readonly #byId: Map<string, Load>;
  readonly #zones: number;

  constructor(up: readonly ViewMember[], partitionCount: number) {
    const weights = up.reduce((sum, member) => sum + member.weight, 0);
    this.#zones = new Set(up.map((member) => member.zone)).size;
    this.#byId = new Map(
      up.map(({ id, zone, weight }) => {
        const share = (partitionCount * weight) / weights;
        const most = Math.max(Math.ceil(share), Math.floor(share * LOAD_MAX));
        return [id, { id, zone, most, owners: 0, successors: 0 }];
      }),
    );
  }

  place(order: readonly string[], kind: 'owners' | 'successors', owner: Load | undefined): Load {
    const walk = order.map((id) => this.#byId.get(id)!);
    const fits = (load: Load): boolean => load !== owner && load[kind] < load.most;
    const apart = (load: Load): boolean => owner === undefined || this.#zones === 1 || load.zone !== owner.zone;
    const found =
      walk.find((load) => fits(load) && apart(load)) ??
      this.#leastLoaded(kind, (load) => fits(load) && apart(load)) ??
      this.#leastLoaded(kind, (load) => load !== owner && apart(load)) ??
      this.#leastLoaded(kind, (load) => load !== owner)!;
    found[kind]++;
    return found;
  }

  #leastLoaded(kind: 'owners' | 'successors', allowed: (load: Load) => boolean): Load | undefined {
    let least: Load | undefined;
    for (const load of this.#byId.values()) {
      if (allowed(load) && (least === undefined || load[kind] / load.most < least[kind] / least.most)) least = load;
    }
    return least;
  }
}
