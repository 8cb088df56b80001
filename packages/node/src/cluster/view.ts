import { type ClientView, LarderError, PARTITION_COUNT, ringPlacements, type ViewNode } from '@larder/proto';

/**
 * Which nodes are up and who owns each partition. The view decides; the ring only proposes. This one is static: made
 * once from the configured nodes, each partition where the ring puts it.
 */
export class View {
  readonly client: ClientView;
  readonly #mine: Uint8Array;

  constructor(
    readonly selfId: string,
    client: ClientView,
  ) {
    this.client = client;
    const self = client.nodes.findIndex((node) => node.id === selfId);
    this.#mine = Uint8Array.from(client.owners, (owner) => (owner === self ? 1 : 0));
  }

  get version(): number {
    return this.client.version;
  }

  /** Whether this node owns the partition. */
  owns(partition: number): boolean {
    return this.#mine[partition] === 1;
  }

  ownerOf(partition: number): ViewNode {
    return this.client.nodes[this.client.owners[partition]!]!;
  }

  get ownedCount(): number {
    let count = 0;
    for (const mine of this.#mine) count += mine;
    return count;
  }

  /** The answer to a call that came to the wrong node. */
  notOwner(partition: number): LarderError {
    const owner = this.ownerOf(partition);
    return new LarderError(
      'NOT_OWNER',
      `partition ${partition} belongs to node ${owner.id} at ${owner.address}, not to ${this.selfId}`,
      { outcome: 'not-applied', node: this.selfId, details: { viewVersion: this.version, owner: owner.address } },
    );
  }
}

const STATIC_VIEW_VERSION = 1;

export function staticView(selfId: string, nodes: readonly ViewNode[]): View {
  const indexes = new Map(nodes.map((node, index) => [node.id, index]));
  const owners = ringPlacements(nodes, PARTITION_COUNT).map((placement) => indexes.get(placement.owner) as number);
  return new View(selfId, { version: STATIC_VIEW_VERSION, nodes, owners: Uint16Array.from(owners) });
}
