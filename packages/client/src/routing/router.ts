import type { ClientView } from '@larder/proto';
import { NodeConnection } from '../connection/node-connection.js';
import type { SessionEvents, SessionOptions } from '../connection/session-connection.js';

/** Sends each partition to its owner by the newest view it was shown; one connection per node of that view. */
export class Router {
  #view: ClientView;
  #connections: NodeConnection[] = [];

  constructor(
    view: ClientView,
    readonly options: SessionOptions,
    readonly events: SessionEvents,
  ) {
    this.#view = view;
    this.#connections = this.#connectionsFor(view);
  }

  get view(): ClientView {
    return this.#view;
  }

  get connections(): readonly NodeConnection[] {
    return this.#connections;
  }

  owner(partition: number): NodeConnection {
    return this.#connections[this.#view.owners[partition]!]!;
  }

  connectionTo(node: string): NodeConnection | undefined {
    return this.#connections.find((connection) => connection.node === node);
  }

  /** Takes the view if it is newer, or as new and different. Returns whether it was taken. */
  adopt(view: ClientView): boolean {
    if (view.version < this.#view.version || sameView(view, this.#view)) return false;
    const before = this.#connections;
    this.#connections = this.#connectionsFor(view);
    this.#view = view;
    for (const connection of before) {
      if (!this.#connections.includes(connection)) connection.close();
    }
    return true;
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #connectionsFor(view: ClientView): NodeConnection[] {
    return view.nodes.map(
      (node) =>
        this.#connections.find((known) => known.node === node.id && known.address === node.address) ??
        new NodeConnection(node.id, node.address, this.options, this.events),
    );
  }
}

function sameView(one: ClientView, other: ClientView): boolean {
  return (
    one.version === other.version &&
    one.nodes.length === other.nodes.length &&
    one.nodes.every(
      (node, index) => node.id === other.nodes[index]?.id && node.address === other.nodes[index]?.address,
    ) &&
    one.owners.every((owner, partition) => owner === other.owners[partition])
  );
}
