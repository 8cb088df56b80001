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
  const details = headerText(error.message);
  return { name: 'LarderError', code: grpcStatusOf(error.code), message: details, details, metadata };
}

/** A header block may have 64 KiB, of which each character takes up to nine bytes. */
const DETAILS_LENGTH_MAX = 4_096;

/** Whole characters only: a message that was cut within one cannot be a header, and the call would never be answered. */
function headerText(message: string): string {
  return Buffer.from(message.slice(0, DETAILS_LENGTH_MAX)).toString();
}
