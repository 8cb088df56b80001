/** Whoever is no node: clients, and who asks nodes for their status. */
export const CLIENTS = 'clients';

/** Where a node lives. */
export interface NodePlace {
  /** host:port that it listens on. */
  readonly listen: string;
  /** host:port by which nodes and clients reach it. */
  readonly address: string;
  /** What its command line begins with; empty: nothing. */
  readonly prefix: readonly string[];
}

export type NetworkKind = 'namespaces' | 'proxy';

/**
 * The network between the nodes, and between nodes and clients, with its faults. Names are ids of nodes, or CLIENTS.
 * The way to the database is not part of it.
 */
export interface ChaosNetwork {
  readonly kind: NetworkKind;
  addNode(id: string): Promise<NodePlace>;
  /** To be told of each process of a node, before it opens a connection. */
  nodeProcess(id: string, pid: number): void;
  /** From now on what `from` sends to `to` is lost, and nobody is told. */
  cut(from: string, to: string): Promise<void>;
  /** From now on a round trip to this node takes so much longer; 0: no longer. */
  delay(id: string, delayMs: number): Promise<void>;
  /** Ends all cuts. */
  mend(): Promise<void>;
  close(): Promise<void>;
}
