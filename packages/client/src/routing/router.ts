import type { Clock } from '@larder/base';
import { type ClientView, LarderError, PARTITION_COUNT } from '@larder/proto';
import type { ConnectionEvents, SessionOptions } from '../connection/connection-events.js';
import { NodeConnection } from '../connection/node-connection.js';
import { isAddress } from '../endpoints.js';
import { shownValue } from '../shown-value.js';

/** Sends each partition to its owner by the newest view it was shown; one connection per node of that view. */

/** Nodes that disagree under the same version, or about the cluster that they belong to, turn the client round no faster. */
const DISPUTE_PAUSE_MS = 1_000;

export class Router {
  #view: ClientView;
  #adoptedMs: number;
  #connections: readonly NodeConnection[] = [];
  /** Of nodes that the view has dropped, while calls are still under way there. */
  #retired: readonly NodeConnection[] = [];
  readonly #clock: Clock;

  /** Throws INTERNAL for a view that cannot be used. */
  constructor(
    view: ClientView,
    readonly options: SessionOptions,
    readonly events: ConnectionEvents,
  ) {
    checkUsable(view);
    this.#clock = options.clock;
    this.#adoptedMs = Number.NEGATIVE_INFINITY;
    this.#connections = this.#connectionsFor(view);
    this.#view = view;
  }

  get view(): ClientView {
    return this.#view;
  }

  get connections(): readonly NodeConnection[] {
    return this.#connections;
  }

  /** Calls that somebody waits for. */
  get unsettled(): number {
    return [...this.#connections, ...this.#retired].reduce((sum, connection) => sum + connection.unsettled, 0);
  }

  owner(partition: number): NodeConnection {
    return this.#connections[this.#view.owners[partition]!]!;
  }

  /** How often the partition has begun anew, empty. */
  lost(partition: number): number {
    const { lost } = this.#view;
    return lost === undefined ? 0 : lost[partition]!;
  }

  connectionTo(node: string): NodeConnection | undefined {
    return this.#connections.find((connection) => connection.node === node);
  }

  /** Takes the view if it is newer, or as new and different, or of another cluster. Returns whether it was taken. Throws INTERNAL. */
  adopt(view: ClientView): boolean {
    const isOther = isOfOtherCluster(view, this.#view);
    if (!isOther && (view.version < this.#view.version || isSameView(view, this.#view))) return false;
    const nowMs = this.#clock.monotonicMs();
    const isDisputed = isOther || view.version === this.#view.version;
    if (isDisputed && nowMs - this.#adoptedMs < DISPUTE_PAUSE_MS) return false;
    checkUsable(view);
    const before = this.#connections;
    const ownersBefore = this.#view.owners;
    this.#connections = this.#connectionsFor(view);
    this.#view = view;
    this.#adoptedMs = nowMs;
    const dropped = before.filter((connection) => !this.#connections.includes(connection));
    this.#retired = [...this.#retired, ...dropped].filter((connection) => connection.unsettled > 0);
    const gained = new Set<NodeConnection>();
    for (const [partition, owner] of view.owners.entries()) {
      const connection = this.#connections[owner]!;
      if (connection !== before[ownersBefore[partition]!]) gained.add(connection);
    }
    for (const connection of before) connection.ownersChanged(gained.has(connection));
    for (const connection of dropped) connection.retire();
    return true;
  }

  close(): void {
    for (const connection of [...this.#connections, ...this.#retired]) connection.close();
    this.#retired = [];
  }

  #connectionsFor(view: ClientView): NodeConnection[] {
    return view.nodes.map(
      (node) =>
        this.#connections.find((known) => known.node === node.id && known.address === node.address) ??
        new NodeConnection(node.id, node.address, this.options, this.events),
    );
  }
}

/** A node without a partition is no use to a client, and an address that gRPC cannot read would fail at each call. */
function checkUsable(view: ClientView): void {
  if (view.nodes.length > PARTITION_COUNT) throw unusable(`it has ${view.nodes.length} nodes`);
  const names = new Set(view.nodes.map((node) => node.id));
  if (names.size < view.nodes.length) throw unusable('two nodes have the same id');
  const lost = view.nodes.find((node) => !isAddress(node.address));
  if (lost) throw unusable(`the address of node ${shownValue(lost.id)} is ${shownValue(lost.address)}, not host:port`);
}

function unusable(why: string): LarderError {
  return new LarderError('INTERNAL', `the cluster's view cannot be used: ${why}`);
}

/** Versions begin again when a cluster that keeps nothing is started anew. */
function isOfOtherCluster(one: ClientView, other: ClientView): boolean {
  return one.cluster !== undefined && other.cluster !== undefined && one.cluster !== other.cluster;
}

function isSameView(one: ClientView, other: ClientView): boolean {
  return (
    one.version === other.version &&
    one.nodes.length === other.nodes.length &&
    one.nodes.every(
      (node, index) => node.id === other.nodes[index]?.id && node.address === other.nodes[index]?.address,
    ) &&
    one.owners.every((owner, partition) => owner === other.owners[partition])
  );
}
