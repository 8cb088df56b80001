import type { ClientUnaryCall, Client as GrpcClient } from '@grpc/grpc-js';
import { type LarderError, type peerService, peerService as service } from '@larder/proto';
import { fromStatus } from './link-channel.js';

/** One call of PeerService that has one answer. `name` says in errors who was asked; the deadline is in Unix ms. */
export function callPeer<Response>(
  channel: GrpcClient,
  method: keyof typeof peerService & string,
  request: object,
  deadlineMs: number,
  name: string,
  done: (error: LarderError | undefined, response: Response | undefined) => void,
): ClientUnaryCall {
  const definition = service[method]!;
  return channel.makeUnaryRequest(
    definition.path,
    definition.requestSerialize,
    definition.responseDeserialize as (bytes: Buffer) => Response,
    request,
    { deadline: deadlineMs },
    (error, response) => done(error === null ? undefined : fromStatus(error, name), response),
  );
}
