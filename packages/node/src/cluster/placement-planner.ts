import { fairShares } from './fair-shares.js';
import { Load } from './placement-load.js';
import { PlacementPairs } from './placement-pairs.js';
import { type RingPreference, ringPreference } from './ring-preference.js';
import type { PartitionPlacement, ViewDocument, ViewMember } from './view-document.js';

/**
 * Where partitions should be: a pure function of the view, so that all who have the same view plan the same. Everything
 * stays where it is as long as each node has about its share; only what is missing, in the wrong zone or too much moves,
 * and no more of it than is needed (bounded loads with hysteresis). So a node that joins is given the least that makes it
 * a full member, and one that leaves makes others take just what it had.
 *
 *   1. what is under way counts as done: a learner stands for the successor that it will be
 *   2. copies that are missing go to whoever has least; so do successors in the owner's zone, where there are others
 *   3. copies go from nodes above their bound, or to nodes below it, one by one
 *   4. owner and successor change places, which costs nothing, until each node owns about its share
 *
 * Which partition goes where is decided by the hash ring, so that what one node had is spread over all others.
 *
 * The plan only proposes. A view that differs from it is served all the same while partitions move one by one.
 */

export interface PlannedPlace {
  readonly owner: string;
  /** '' with a single node, or where one copy is wanted. */
  readonly successor: string;
}

export function planPlacements(view: Pick<ViewDocument, 'members' | 'partitions' | 'config'>): PlannedPlace[] {
  const up = view.members.filter((member) => !member.draining);
  if (up.length === 0) return [];
  const plan = new Plan(up, view.partitions, Math.min(view.config.copies, up.length));
  plan.fill();
  plan.shift();
  plan.turn();
  return plan.places();
}

const NOBODY = -1;

/** Nodes are numbered as the members that are up. */
class Plan {
  readonly #owners: Int16Array;
  readonly #successors: Int16Array;
  readonly #copyLoad: Load;
  readonly #ownerLoad: Load;
  readonly #zones: readonly number[];
  readonly #zoneCount: number;
  #preference: RingPreference | undefined;
  /** By pair of nodes: what the one could pass to the other when that was first asked. Partitions that come later wait. */
  readonly #candidates = new Map<number, number[]>();

  constructor(
    readonly up: readonly ViewMember[],
    partitions: readonly PartitionPlacement[],
    readonly copies: number,
  ) {
    const shares = fairShares(up, partitions.length, copies);
    this.#copyLoad = new Load(shares.copies);
    this.#ownerLoad = new Load(shares.owners);
    const zones = [...new Set(up.map(({ zone }) => zone))];
    this.#zones = up.map(({ zone }) => zones.indexOf(zone));
    this.#zoneCount = zones.length;
    this.#owners = new Int16Array(partitions.length).fill(NOBODY);
    this.#successors = new Int16Array(partitions.length).fill(NOBODY);
    const numbers = new Map(up.map(({ id }, number) => [id, number]));
    partitions.forEach((placement, partition) => {
      this.#begin(partition, placement, (id) => numbers.get(id) ?? NOBODY);
    });
  }

  /** Where the partition is, or will be when what is under way is done. */
  #begin(partition: number, placement: PartitionPlacement, numberOf: (id: string) => number): void {
    const holders = [placement.owner, placement.successor, placement.learner].map(numberOf);
    const [owner, successor, learner] = holders as [number, number, number];
    const next = learner === NOBODY ? successor : learner;
    const places = this.copies === 1 ? [next, owner] : owner === NOBODY ? [successor, learner] : [owner, next];
    const [first = NOBODY, second = NOBODY] = places.filter((holder) => holder !== NOBODY);
    this.#take(partition, first, this.copies === 1 ? NOBODY : second);
  }

  fill(): void {
    for (let partition = 0; partition < this.#owners.length; partition++) {
      if (this.#owners[partition] === NOBODY) this.#take(partition, this.#emptiest(partition, NOBODY), NOBODY);
      if (this.copies === 1) continue;
      const owner = this.#owners[partition]!;
      const successor = this.#successors[partition]!;
      if (successor !== NOBODY && this.#apart(owner, successor)) continue;
      if (successor !== NOBODY) this.#copyLoad.add(successor, -1);
      this.#successors[partition] = NOBODY;
      this.#take(partition, owner, this.#emptiest(partition, owner));
    }
  }

  shift(): void {
    const load = this.#copyLoad;
    while (load.isOff) {
      if (!this.#shiftOne(load)) return;
    }
  }

  #shiftOne(load: Load): boolean {
    const order = load.byFullness();
    for (let last = order.length - 1; last > 0; last--) {
      const from = order[last]!;
      for (const to of order) {
        if (!load.mayPass(from, to) || (this.#zoneCount === 2 && this.copies === 2 && this.#apart(from, to))) continue;
        const partition = this.#bestToPass(from, to);
        if (partition === NOBODY) continue;
        this.#pass(partition, from, to);
        return true;
      }
    }
    return false;
  }

  turn(): void {
    if (this.copies === 1) return;
    const load = this.#ownerLoad;
    if (!load.isOff) return;
    const pairs = new PlacementPairs(this.up.length, this.#owners, this.#successors);
    while (load.isOff) {
      const partition = pairs.best((owner, successor) => load.gain(owner, successor));
      if (partition === NOBODY) return;
      const owner = this.#owners[partition]!;
      const successor = this.#successors[partition]!;
      this.#owners[partition] = successor;
      this.#successors[partition] = owner;
      load.add(owner, -1);
      load.add(successor, 1);
      pairs.turned(successor, owner);
    }
  }

  places(): PlannedPlace[] {
    const idOf = (number: number): string => (number === NOBODY ? '' : this.up[number]!.id);
    return Array.from(this.#owners, (owner, partition) => ({
      owner: idOf(owner),
      successor: idOf(this.#successors[partition]!),
    }));
  }

  #take(partition: number, owner: number, successor: number): void {
    if (owner !== NOBODY && this.#owners[partition] !== owner) {
      this.#copyLoad.add(owner, 1);
      this.#ownerLoad.add(owner, 1);
    }
    if (successor !== NOBODY) this.#copyLoad.add(successor, 1);
    this.#owners[partition] = owner;
    this.#successors[partition] = successor;
  }

  /** Rather what `from` has as successor, since what it owns must change places first. */
  #bestToPass(from: number, to: number): number {
    const pair = from * this.up.length + to;
    let candidates = this.#candidates.get(pair);
    if (candidates === undefined) {
      candidates = this.#candidatesToPass(from, to);
      this.#candidates.set(pair, candidates);
    }
    for (let best = candidates.pop(); best !== undefined; best = candidates.pop()) {
      if (this.#mayPass(best, from, to)) return best;
    }
    return NOBODY;
  }

  /** The best one last. */
  #candidatesToPass(from: number, to: number): number[] {
    const candidates: number[] = [];
    const scores = new Float64Array(this.#owners.length);
    for (let partition = 0; partition < this.#owners.length; partition++) {
      if (!this.#mayPass(partition, from, to)) continue;
      scores[partition] = this.#distance(partition, to) + (this.#owners[partition] === from ? 1 : 0);
      candidates.push(partition);
    }
    return candidates.sort((a, b) => scores[b]! - scores[a]!);
  }

  #mayPass(partition: number, from: number, to: number): boolean {
    const owner = this.#owners[partition]!;
    const successor = this.#successors[partition]!;
    if ((owner !== from && successor !== from) || owner === to || successor === to) return false;
    const stays = owner === from ? successor : owner;
    return stays === NOBODY || this.#apart(stays, to);
  }

  #pass(partition: number, from: number, to: number): void {
    this.#copyLoad.add(from, -1);
    this.#copyLoad.add(to, 1);
    if (this.#successors[partition] === from) {
      this.#successors[partition] = to;
      return;
    }
    const owner = this.copies === 1 ? to : this.#successors[partition]!;
    this.#ownerLoad.add(from, -1);
    this.#ownerLoad.add(owner, 1);
    this.#owners[partition] = owner;
    if (this.copies === 2) this.#successors[partition] = to;
  }

  #emptiest(partition: number, owner: number): number {
    let best = NOBODY;
    let bestScore = Number.POSITIVE_INFINITY;
    for (let node = 0; node < this.up.length; node++) {
      if (node === owner) continue;
      const apart = owner === NOBODY || this.#apart(owner, node) ? 0 : 1;
      const score = apart * 2 ** 20 + this.#copyLoad.fullness(node) + this.#distance(partition, node) / 2 ** 32;
      if (score >= bestScore) continue;
      best = node;
      bestScore = score;
    }
    return best;
  }

  /** How far along the hash ring the node is from the partition: 0 to below 1. Asked only when something has to move. */
  #distance(partition: number, node: number): number {
    this.#preference ??= ringPreference(this.up, this.#owners.length);
    return this.#preference.of(partition, node);
  }

  /** Whether the two may hold the same partition, as far as zones go. */
  #apart(one: number, other: number): boolean {
    return this.#zoneCount === 1 || this.#zones[one] !== this.#zones[other];
  }
}
