import { type ChannelOptions, credentials, Client as GrpcClient, type ServiceError } from '@grpc/grpc-js';
import { cacheService, errorCodeFromName, LarderError, VALUE_BYTES_MAX_CEILING } from '@larder/proto';

/** grpc-js with what Larder does itself switched off (transport study, recommended data path, point 7). */
const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.enable_channelz': 0,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc-node.flow_control_window': 16 * 1024 * 1024,
  'grpc.max_receive_message_length': VALUE_BYTES_MAX_CEILING + 1024 * 1024,
  'grpc.max_send_message_length': -1,
  // A connection that died without a word is noticed also when nobody calls. 10 s is the least that gRPC servers like.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  // A node that comes back is not left waiting for gRPC's own pauses, of up to two minutes.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // Channels of the same address must not share a connection: Bulk is a second one on purpose.
  'grpc.use_local_subchannel_pool': 1,
};

/** Connects when it is first used. Throws for an address that gRPC cannot read. */
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
        if (error) reject(fromServiceError(error, node));
        else resolve(response as Response);
      },
    );
  });
}

const DEADLINE_EXCEEDED = 4;
const UNIMPLEMENTED = 12;

/** A gRPC status as an error of ours; nodes put their own code into the trailers. */
export function fromServiceError(error: ServiceError, node: string): LarderError {
  const options = { node, cause: error };
  const code = error.metadata?.get('larder-code')[0];
  if (typeof code === 'string') {
    const text = error.details.startsWith(`${code}: `) ? error.details.slice(code.length + 2) : error.details;
    return new LarderError(errorCodeFromName(code), text, options);
  }
  if (error.code === DEADLINE_EXCEEDED)
    return new LarderError('TIMEOUT', `node ${node} did not answer in time`, options);
  if (error.code === UNIMPLEMENTED) return new LarderError('INCOMPATIBLE', `${node} is no node of Larder`, options);
  return new LarderError('UNAVAILABLE', `node ${node} cannot be reached: ${error.details}`, options);
}
