import { Client, credentials, type MethodDefinition } from '@grpc/grpc-js';
import { adminService } from '@larder/proto';

/** GetClusterStatusResponse of larder/v1/admin.proto, as far as it is looked at here. */
export interface NodeStatus {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly viewVersion: number;
  readonly members: readonly { readonly id: string; readonly incarnation: string; readonly draining: boolean }[];
  /** Null while the node belongs to no cluster. */
  readonly partitions: PartitionCounts | null;
  /** What the node serves at this moment. */
  readonly served: readonly { readonly partition: number; readonly epoch: number }[];
}

export interface PartitionCounts {
  readonly underReplicated: number;
  readonly moving: number;
  readonly waiting: number;
  readonly misplaced: number;
  readonly lost: number;
}

const DEADLINE_MS = 1_000;

/** Asks nodes for their status, over connections that it keeps. */
export class StatusReader {
  readonly #clients = new Map<string, Client>();

  /** Undefined if the node has not answered within a second. */
  read(address: string): Promise<NodeStatus | undefined> {
    const method = adminService.GetClusterStatus as MethodDefinition<object, NodeStatus>;
    const { path, requestSerialize, responseDeserialize } = method;
    const options = { deadline: Date.now() + DEADLINE_MS };
    return new Promise((resolve) => {
      this.#client(address).makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        {},
        options,
        (error, status) => resolve(error === null ? status : undefined),
      );
    });
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  #client(address: string): Client {
    const known = this.#clients.get(address);
    if (known !== undefined) return known;
    // Back-off after a node was away would let it look away for longer than it is.
    const backoff = { 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 200 };
    const client = new Client(address, credentials.createInsecure(), { 'grpc.enable_retries': 0, ...backoff });
    this.#clients.set(address, client);
    return client;
  }
}
