import type { Clock, Random } from '@larder/base';
import type { ClientView, LarderError } from '@larder/proto';
import type { RequestNumbers } from '../request-numbers.js';
import type { Call } from './call.js';

/** Long enough for a node that has given its partitions away to answer for them, many times over. */
export const WITHDRAWAL_MS = 250;

export interface SessionOptions {
  readonly clientName: string;
  readonly numbers: RequestNumbers;
  readonly timeoutMs: number;
  /** Values on their way to one node, on its session and, again, on Bulk. At the bound: BUSY. */
  readonly pendingBytesMax: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** What connections tell their client. */
export interface ConnectionEvents {
  /** Of the view by which calls are routed. */
  readonly viewVersion: number;
  viewReceived(view: ClientView): void;
  /** The node answered with a failure. */
  callFailed(call: Call, error: LarderError): void;
  /** The connection broke before the node answered. */
  callLost(call: Call, error: LarderError): void;
  /** The call waits, unsent, for a node that may not own its key any more. */
  callMisplaced(call: Call): void;
  /** Whether the view names another owner of the call's key than the node at this address. */
  isMisplaced(call: Call, node: string, address: string): boolean;
  /** The call is under way at a node that does not own its key any more, and its answer is not waited for. */
  callLeft(call: Call): void;
  /** Also for each attempt that fails; `isFirst` once, until `connectionReady`. */
  connectionLost(node: string, error: LarderError, isFirst: boolean): void;
  connectionReady(node: string): void;
  /** The node says nothing although calls are under way there or wait for it. Repeated for as long as that lasts. */
  nodeSilent(node: string): void;
}
