import { type ChannelOptions, credentials, Client as GrpcClient, type ServiceError } from '@grpc/grpc-js';
import { cacheService, errorCodeFromName, LarderError, type Outcome, VALUE_BYTES_MAX_CEILING } from '@larder/proto';

/** grpc-js with what Larder does itself switched off (transport study, recommended data path, point 7). */
const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.enable_channelz': 0,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc-node.flow_control_window': 16 * 1024 * 1024,
  'grpc.max_receive_message_length': VALUE_BYTES_MAX_CEILING + 1024 * 1024,
  'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // Channels of the same address must not share a connection: Bulk is a second one on purpose.
  'grpc.use_local_subchannel_pool': 1,
};

export function openChannel(address: string): GrpcClient {
  return new GrpcClient(address, credentials.createInsecure(), CHANNEL_OPTIONS);
}

/** Unary methods of the contract, called by name. Bounded by the deadline (Unix ms); never retried here. */
export function callUnary<Response>(
  channel: GrpcClient,
  method: keyof typeof cacheService & string,
  request: object,
  deadlineMs: number,
  node: string,
  service: typeof cacheService = cacheService,
): Promise<Response> {
  const definition = service[method]!;
  return new Promise((resolve, reject) => {
    channel.makeUnaryRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize as (bytes: Buffer) => Response,
      request,
      { deadline: deadlineMs },
      (error, response) => {
        if (error) reject(fromServiceError(error, node, undefined));
        else resolve(response as Response);
      },
    );
  });
}

/** A gRPC status as an error of ours; nodes put their own code into the trailers. */
export function fromServiceError(error: ServiceError, node: string, outcome: Outcome | undefined): LarderError {
  const code = error.metadata?.get('larder-code')[0];
  const options = { outcome, node, cause: error };
  if (typeof code === 'string') {
    const text = error.details.startsWith(`${code}: `) ? error.details.slice(code.length + 2) : error.details;
    return new LarderError(errorCodeFromName(code), text, options);
  }
  if (error.code === 4) return new LarderError('TIMEOUT', `node ${node} did not answer in time`, options);
  return new LarderError('UNAVAILABLE', `node ${node} cannot be reached: ${error.details}`, options);
}
