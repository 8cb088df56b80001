import { Metadata, type ServerErrorResponse } from '@grpc/grpc-js';
import { grpcStatusOf, LarderError } from '@larder/proto';
import type { Caches } from '../caches.js';
import type { View } from '../cluster/view.js';
import type { Log } from '../log.js';

/** What all doors of a node share. */
export class ServerContext {
  draining = false;

  constructor(
    readonly view: View,
    readonly caches: Caches,
    readonly valueBytesMax: number,
    readonly log: Log,
  ) {}

  drainingError(): LarderError {
    return new LarderError('UNAVAILABLE', `node ${this.view.selfId} is shutting down`, {
      outcome: 'not-applied',
      node: this.view.selfId,
    });
  }

  endWithError(stream: { emit(event: 'error', error: ServerErrorResponse): boolean }, error: LarderError): void {
    stream.emit('error', toStatus(error));
  }
}

/** The code travels in the status message and, for programs, in the trailers `larder-code` and `larder-outcome`. */
export function toStatus(error: LarderError): ServerErrorResponse {
  const metadata = new Metadata();
  metadata.set('larder-code', error.code);
  if (error.outcome) metadata.set('larder-outcome', error.outcome);
  return {
    name: 'LarderError',
    code: grpcStatusOf(error.code),
    message: error.message,
    details: error.message,
    metadata,
  };
}
