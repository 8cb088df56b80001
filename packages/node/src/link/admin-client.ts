import { Client, credentials, type MethodDefinition } from '@grpc/grpc-js';
import type { Clock } from '@larder/base';
import { adminService, LarderError } from '@larder/proto';
import { fromStatus } from './link-channel.js';

/** AdminService of the node at one address, for the commands of larder-node. */
export class AdminClient {
  readonly #client: Client;

  /** A call that is not answered within `timeoutMs` fails. */
  constructor(
    readonly address: string,
    readonly clock: Clock,
    readonly timeoutMs: number,
  ) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.enable_channelz': 0 });
  }

  /** Rejects with what the node said, or with UNAVAILABLE if none answers. */
  call<Response extends object>(name: keyof typeof adminService & string, request: object): Promise<Response> {
    const method = adminService[name] as unknown as MethodDefinition<object, Response>;
    const { path, requestSerialize, responseDeserialize } = method;
    const deadline = this.clock.wallMs() + this.timeoutMs;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        { deadline },
        (error, answer) => {
          if (error === null) resolve(answer!);
          else if (error.metadata?.get('larder-code').length > 0) reject(fromStatus(error, this.address));
          else {
            const message = `no node answers at ${this.address}: ${error.details}`;
            reject(new LarderError('UNAVAILABLE', message, { cause: error }));
          }
        },
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}
