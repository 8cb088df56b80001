import { setLogger } from '@grpc/grpc-js';
import type { Log } from '../log.js';

/** What grpc-js would print by itself goes into the log instead: a node's output is one JSON object a line. */
export function logGrpcTo(log: Log): void {
  const write = (message: unknown): void => log.debug({ event: 'grpc', message: String(message).trim() });
  setLogger({ error: write, info: write, debug: write });
}
