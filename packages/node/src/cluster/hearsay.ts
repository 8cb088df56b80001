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

  /** Only these nodes can still be asked. */
  keep(nodes: ReadonlyMap<string, unknown>): void {
    for (const node of this.#unheardBy.keys()) if (!nodes.has(node)) this.#unheardBy.delete(node);
  }
}
