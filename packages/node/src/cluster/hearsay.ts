import type { PairLeases } from './pair-leases.js';
import type { ClusterTimers } from './timers.js';
import type { ViewDocument } from './view-document.js';

/**
 * What other nodes say of whom they hear. A node that cannot be heard here may be heard elsewhere, because only a link
 * is cut: then it is alive, and what it holds is not lost.
 */
export class Hearsay {
  readonly #unheardBy = new Map<string, ReadonlySet<string>>();

  /** The latest word of a node replaces the one before. */
  told(node: string, unheard: readonly string[]): void {
    const before = this.#unheardBy.get(node);
    if (before !== undefined && before.size === 0 && unheard.length === 0) return;
    this.#unheardBy.set(node, new Set(unheard));
  }

  /** Whether the node may hear that member. Who has said nothing yet may. */
  mayHear(node: string, member: string): boolean {
    return this.#unheardBy.get(node)?.has(member) !== true;
  }

  /** Whether another member, that this node hears, may hear that one. */
  isHeardElsewhere(id: string, { self, view, leases, timers }: Listener): boolean {
    return view!.members.some(
      (member) =>
        member.id !== self.id &&
        member.id !== id &&
        leases.silentMs(member.incarnation) < timers.suspectMs &&
        this.mayHear(member.id, id),
    );
  }

  /** Only these nodes can still be asked. */
  keep(nodes: ReadonlyMap<string, unknown>): void {
    for (const node of this.#unheardBy.keys()) if (!nodes.has(node)) this.#unheardBy.delete(node);
  }
}

/** A member as far as it listens to others. */
export interface Listener {
  readonly self: { readonly id: string };
  readonly view: ViewDocument | undefined;
  readonly leases: PairLeases;
  readonly timers: ClusterTimers;
}

/** Members that have been silent for so long. */
export function unheardBy({ self, view, leases }: Listener, silentMs: number): readonly string[] {
  return view!.members
    .filter(({ id, incarnation }) => id !== self.id && leases.silentMs(incarnation) >= silentMs)
    .map(({ id }) => id);
}
