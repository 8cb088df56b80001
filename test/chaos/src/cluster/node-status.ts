import { credentials, Client as GrpcClient, type MethodDefinition } from '@grpc/grpc-js';
import { cacheService } from '@larder/proto';

/** What a node says of itself and of its cluster. */
export interface NodeStatus {
  readonly id: string;
  readonly incarnation: string;
  readonly viewVersion: number;
  readonly members: readonly { readonly id: string; readonly draining: boolean }[];
  /** Partitions with one copy only. */
  readonly underReplicated: number;
  readonly moves: number;
  /** Summed over the partitions. */
  readonly lost: number;
  /** The partitions that it serves at this moment. */
  readonly served: readonly { readonly partition: number; readonly epoch: number }[];
}

const DEADLINE_MS = 1_000;

/** Asks nodes over connections that it keeps. */
export class StatusReader {
  readonly #clients = new Map<string, GrpcClient>();

  /** Undefined if the node has not answered within a second. */
  read(address: string): Promise<NodeStatus | undefined> {
    const known = this.#clients.get(address);
    const client = known ?? new GrpcClient(address, credentials.createInsecure(), { 'grpc.enable_retries': 0 });
    this.#clients.set(address, client);
    const { path, requestSerialize, responseDeserialize } = cacheService.GetView as MethodDefinition<
      object,
      ViewAnswer
    >;
    const options = { deadline: Date.now() + DEADLINE_MS };
    return new Promise((resolve) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, options, (error, answer) => {
        resolve(error !== null || answer === undefined ? undefined : statusOf(address, answer));
      });
    });
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }
}

interface ViewAnswer {
  readonly view: { readonly version: number; readonly nodes: readonly { readonly id: string }[] };
}

/** Of a node that answers with no more than its view. */
function statusOf(address: string, { view }: ViewAnswer): NodeStatus {
  const members = view.nodes.map(({ id }) => ({ id, draining: false }));
  const id = address;
  return { id, incarnation: '', viewVersion: view.version, members, underReplicated: 0, moves: 0, lost: 0, served: [] };
}
