import type { Socket } from 'node:net';
import {
  ChannelCredentials,
  type ChannelOptions,
  credentials,
  Client as GrpcClient,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { errorCodeFromName, LarderError } from '@larder/proto';

/**
 * The gRPC channel from one node to another. HTTP/2 keepalive stays off: heartbeats say more, and sooner. A channel is
 * never used again after a fault; whoever has it closes it and opens another.
 */
const OPTIONS: ChannelOptions = {
  'grpc.enable_channelz': 0,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc-node.flow_control_window': 1024 * 1024,
  'grpc.max_receive_message_length': 8 * 1024 * 1024,
  'grpc.max_send_message_length': -1,
  // Without it grpc-js says that up to 1 MiB is written although it is only kept for a retry that never comes.
  'grpc.per_rpc_retry_buffer_size': 0,
  // A broken connection must not be shared with the channel that is to replace it.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
};

export class LinkChannel {
  readonly client: GrpcClient;
  readonly #connections = new Connections();

  /** Connects when it is first used. Throws for an address that gRPC cannot read. */
  constructor(address: string) {
    this.client = new GrpcClient(address, this.#connections, OPTIONS);
  }

  /** Ends it, whether or not the other side takes notice. */
  close(): void {
    this.client.close();
    // In the next turn: what tells the other side that streams are cancelled leaves at the end of this one.
    setImmediate(() => this.#connections.cut());
  }
}

/**
 * The TCP connections of one channel. grpc-js closes them by saying so to the other side, and has them until it answers,
 * which one that stands still or has vanished never does; and it gives nobody a way to cut them. But it shows each new
 * connection to the credentials.
 */
class Connections extends ChannelCredentials {
  readonly #plain = credentials.createInsecure();
  readonly #sockets = new Set<Socket>();
  #areCut = false;

  cut(): void {
    this.#areCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  override _isSecure(): boolean {
    return false;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(...given: Parameters<ChannelCredentials['_createSecureConnector']>) {
    const plain = this.#plain._createSecureConnector(...given);
    return {
      connect: (socket: Socket) => {
        this.#keep(socket);
        return plain.connect(socket);
      },
      waitForReady: () => plain.waitForReady(),
      getCallCredentials: () => plain.getCallCredentials(),
      destroy: () => plain.destroy(),
    };
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#areCut) socket.destroy();
  }
}

/** What a node said, in its own words; else what became of the connection to it. */
export function fromStatus(error: ServiceError, node: string): LarderError {
  const options = { node, cause: error };
  const code = error.metadata?.get('larder-code')[0];
  if (typeof code === 'string') {
    const reason = error.details.startsWith(`${code}: `) ? error.details.slice(code.length + 2) : error.details;
    return new LarderError(errorCodeFromName(code), reason, options);
  }
  if (error.code === status.DEADLINE_EXCEEDED)
    return new LarderError('TIMEOUT', `${node} did not answer in time`, options);
  if (error.code === status.UNIMPLEMENTED)
    return new LarderError('INCOMPATIBLE', `${node} is no node of Larder`, options);
  return new LarderError('UNAVAILABLE', `${node} cannot be reached: ${error.details}`, options);
}

export const identity = (bytes: Buffer): Buffer => bytes;
