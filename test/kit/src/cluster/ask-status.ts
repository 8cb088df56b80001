import { Client, credentials, type MethodDefinition } from '@grpc/grpc-js';
import { adminService } from '@larder/proto';

/** What a node says of its cluster, as far as tests and benches look at it. */
export interface NodeStatus {
  readonly viewVersion: number;
  readonly members: readonly { readonly id: string; readonly owned: number; readonly succeeded: number }[];
  /** Null: it has no view yet. */
  readonly partitions: {
    readonly underReplicated: number;
    readonly moving: number;
    readonly waiting: number;
    readonly misplaced: number;
    /** Losses, and partitions that were lost once or more. */
    readonly lost: number;
    readonly lostPartitions: number;
  } | null;
}

const TIMEOUT_MS = 1_000;

/** Asks one node again and again, over one connection. */
export class StatusQuestion {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  /** Undefined: it does not answer. */
  ask(): Promise<NodeStatus | undefined> {
    const method = adminService.GetClusterStatus as MethodDefinition<object, NodeStatus>;
    const { path, requestSerialize, responseDeserialize } = method;
    const options = { deadline: Date.now() + TIMEOUT_MS };
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, options, (error, status) =>
        resolve(error === null ? status : undefined),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}
