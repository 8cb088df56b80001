/**
 * Which view each peer is known to have, and when it was last sent one: so that who is behind gets it once, not with
 * every message that it sent before it arrived.
 */
export class PeerViews {
  readonly #peers = new Map<string, { version: number; heard: number; pushedMs: number }>();

  /** The version that the peer has, or will have when what is under way has arrived. */
  versionOf(node: string): number {
    return this.#peers.get(node)?.version ?? 0;
  }

  /** The version that the peer has itself said to have. */
  heardVersion(node: string): number {
    return this.#peers.get(node)?.heard ?? 0;
  }

  /** An envelope of the peer's named this version. Older ones may arrive after newer ones. */
  heard(node: string, version: number): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) {
      this.#peers.set(node, { version, heard: version, pushedMs: Number.NEGATIVE_INFINITY });
    } else {
      if (version > peer.version) peer.version = version;
      if (version > peer.heard) peer.heard = version;
    }
  }

  pushed(node: string, version: number, nowMs: number): void {
    this.#peers.set(node, { version, heard: this.heardVersion(node), pushedMs: nowMs });
  }

  pushedMs(node: string): number {
    return this.#peers.get(node)?.pushedMs ?? Number.NEGATIVE_INFINITY;
  }

  /** What was under way to it is gone. */
  forget(node: string): void {
    this.#peers.delete(node);
  }

  /** Only these nodes can still be peers. */
  keep(nodes: ReadonlyMap<string, unknown>): void {
    for (const node of this.#peers.keys()) if (!nodes.has(node)) this.#peers.delete(node);
  }
}
