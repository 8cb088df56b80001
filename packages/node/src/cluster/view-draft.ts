import { assert } from '@larder/base';
import {
  COPY_MAX,
  type CopyOrigin,
  EPOCH_MAX,
  type PartitionPlacement,
  type ViewDocument,
  type ViewMember,
  type Wait,
} from './view-document.js';

type Editable<T> = { -readonly [K in keyof T]: T[K] };

/** The next view under construction: all changes of one event become one compare-and-set. */
export class ViewDraft {
  readonly #partitions: PartitionPlacement[];
  #members: readonly ViewMember[];
  #nextCopy: number;
  #changed = false;

  constructor(readonly base: ViewDocument) {
    this.#partitions = base.partitions.slice();
    this.#members = base.members;
    this.#nextCopy = base.nextCopy;
  }

  get changed(): boolean {
    return this.#changed;
  }

  get partitionCount(): number {
    return this.#partitions.length;
  }

  get members(): readonly ViewMember[] {
    return this.#members;
  }

  partition(partition: number): PartitionPlacement {
    return this.#partitions[partition]!;
  }

  member(id: string): ViewMember | undefined {
    return this.#members.find((member) => member.id === id);
  }

  addMember(member: ViewMember): void {
    const others = this.#members.filter(({ id }) => id !== member.id);
    this.#members = [...others, member].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#changed = true;
  }

  removeMember(id: string): void {
    this.#members = this.#members.filter((member) => member.id !== id);
    this.#changed = true;
  }

  setLearner(partition: number, id: string): void {
    const next = this.#edit(partition);
    next.learner = id;
    next.learnerCopy = id === '' ? 0 : this.#newCopy();
  }

  promoteLearner(partition: number): void {
    const next = this.#edit(partition, true);
    next.successor = next.learner;
    next.successorCopy = next.learnerCopy;
    clearLearner(next);
  }

  dropSuccessor(partition: number): void {
    clearSuccessor(this.#edit(partition, true));
  }

  swap(partition: number): void {
    const next = this.#edit(partition, true);
    const { owner, ownerCopy } = next;
    next.owner = next.successor;
    next.ownerCopy = next.successorCopy;
    next.successor = owner;
    next.successorCopy = ownerCopy;
    next.origin = 'handed-over';
  }

  /** A partition that has never held anything begins anew where the plan wants it, on both its nodes at once. */
  place(partition: number, owner: string, successor: string): void {
    const next = this.#edit(partition, true);
    next.owner = owner;
    next.ownerCopy = this.#newCopy();
    clearSuccessor(next);
    clearLearner(next);
    if (successor !== '') {
      next.successor = successor;
      next.successorCopy = this.#newCopy();
    }
    next.origin = 'placed';
  }

  /** One that was placed may not have heard of its copy yet. Then nothing was ever acknowledged, and it begins empty. */
  promoteSuccessor(partition: number, wait: Wait): void {
    const origin = this.partition(partition).origin === 'placed' ? 'placed' : 'promoted';
    const next = this.#edit(partition, true);
    next.owner = next.successor;
    next.ownerCopy = next.successorCopy;
    clearSuccessor(next);
    clearLearner(next);
    setOrigin(next, origin, wait);
  }

  /** An empty copy on node `id`: what the partition held is lost. */
  startFresh(partition: number, id: string, wait: Wait, lost: number): void {
    const next = this.#edit(partition, true);
    next.owner = id;
    next.ownerCopy = this.#newCopy();
    clearSuccessor(next);
    clearLearner(next);
    setOrigin(next, 'fresh', wait);
    next.lost = lost;
  }

  endWait(partition: number): void {
    this.#edit(partition).wait = 0;
  }

  build(by: string): ViewDocument {
    return {
      ...this.base,
      version: this.base.version + 1,
      by,
      nextCopy: this.#nextCopy,
      members: this.#members,
      partitions: this.#partitions,
    };
  }

  #edit(partition: number, newEpoch = false): Editable<PartitionPlacement> {
    const next: Editable<PartitionPlacement> = { ...this.#partitions[partition]! };
    if (newEpoch) next.epoch++;
    if (newEpoch && next.origin === 'placed') next.origin = 'fresh';
    assert(next.epoch <= EPOCH_MAX, 'the epochs of a partition are used up');
    this.#partitions[partition] = next;
    this.#changed = true;
    return next;
  }

  #newCopy(): number {
    assert(this.#nextCopy < COPY_MAX, 'the copy ids are used up');
    return this.#nextCopy++;
  }
}

function clearSuccessor(placement: Editable<PartitionPlacement>): void {
  placement.successor = '';
  placement.successorCopy = 0;
}

function clearLearner(placement: Editable<PartitionPlacement>): void {
  placement.learner = '';
  placement.learnerCopy = 0;
}

function setOrigin(placement: Editable<PartitionPlacement>, origin: CopyOrigin, wait: Wait): void {
  placement.origin = origin;
  placement.wait = wait;
}
