import { Metadata, type ServerErrorResponse } from '@grpc/grpc-js';
import { type ClientView, grpcStatusOf, LarderError } from '@larder/proto';
import type { Caches } from '../caches.js';
import type { Log } from '../log.js';
import type { InvalidationBudget } from '../partitions/invalidation-run.js';
import type { OwnedPartitions } from '../partitions/owned-partitions.js';

/** What all doors of a node share. */
export class ServerContext {
  draining = false;
  /** What clients are told of the cluster; undefined until this node takes part in one. */
  view: ClientView | undefined;
  readonly invalidations: InvalidationBudget = { count: 0 };

  constructor(
    readonly selfId: string,
    readonly partitions: OwnedPartitions,
    readonly caches: Caches,
    readonly valueBytesMax: number,
    readonly log: Log,
  ) {}

  drainingError(): LarderError {
    return new LarderError('UNAVAILABLE', `node ${this.selfId} is shutting down`, {
      outcome: 'not-applied',
      node: this.selfId,
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
