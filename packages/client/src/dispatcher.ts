import { type ClientView, LarderError, partitionOf } from '@larder/proto';
import { type AnswerReader, type CacheHandle, Call } from './connection/call.js';
import { abortedError, closedError, lostError } from './connection/call-errors.js';
import type { ConnectionEvents } from './connection/session-connection.js';
import { encodeKey, keyScratch } from './keys.js';
import type { ResolvedConnectOptions } from './options.js';
import { Detours } from './routing/detours.js';
import { Router } from './routing/router.js';
import { ViewRefresh } from './routing/view-refresh.js';
import { shownValue } from './shown-value.js';

/**
 * From an operation to its owner and back: encodes the key, picks the connection, and sends again what came to the wrong
 * node, and reads whose connection broke. One promise and one Call per operation; nothing else is allocated unless
 * something goes wrong.
 */

/** Connections that may break under a read before it fails. */
const LOSSES_MAX = 1;

let capturedResolve: (value: unknown) => void;
let capturedReject: (error: LarderError) => void;
/** Shared by all promises, so that none costs a closure. */
const capture = (resolve: (value: unknown) => void, reject: (error: LarderError) => void): void => {
  capturedResolve = resolve;
  capturedReject = reject;
};

export interface DispatcherEvents {
  viewChanged(view: ClientView): void;
  connectionLost(node: string, error: LarderError): void;
  connectionReady(node: string): void;
}

export class Dispatcher implements ConnectionEvents {
  readonly router: Router;
  readonly #detours: Detours;
  readonly #refresh: ViewRefresh;
  /** No new calls; those in flight go on. */
  #isDraining = false;
  #isClosed = false;

  /** Throws INTERNAL for a view that cannot be used. */
  constructor(
    view: ClientView,
    readonly options: ResolvedConnectOptions,
    readonly events: DispatcherEvents,
  ) {
    this.router = new Router(view, { ...options, clientName: options.name }, this);
    this.#detours = new Detours(options.clock, (call) => this.#submit(call));
    this.#refresh = new ViewRefresh(this.router, options, (received) => this.viewReceived(received));
  }

  /** Calls that somebody waits for. */
  get unsettled(): number {
    return this.router.unsettled + this.#detours.length;
  }

  /** Runs one operation at the key's owner. Rejects with a LarderError, also for bad arguments. */
  call<T>(
    cache: CacheHandle,
    kind: number,
    key: string,
    value: Uint8Array | undefined,
    ttlMs: number,
    timeoutMs: number,
    answer: AnswerReader<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const promise = new Promise<unknown>(capture) as Promise<T>;
    const call = new Call(cache, kind, key, value, ttlMs, timeoutMs, answer, capturedResolve, capturedReject);
    if (signal !== undefined) abortWith(call, signal);
    if (this.#isDraining) call.reject(closedError(call));
    else this.#submit(call);
    return promise;
  }

  /** Throws INTERNAL for a view that cannot be used. */
  viewReceived(view: ClientView): void {
    if (this.#isClosed || !this.router.adopt(view)) return;
    this.#detours.retryAll();
    this.events.viewChanged(view);
  }

  callFailed(call: Call, error: LarderError): void {
    if (error.code === 'NOT_OWNER') {
      call.recall();
      this.#redirect(call, error);
    } else if (error.code === 'UNAVAILABLE' && !call.isWrite && !this.#isClosed) {
      // The node is about to stop. It does so soon, and then the call waits for its return.
      this.#detours.park(call, error);
    } else {
      call.reject(error);
    }
  }

  callLost(call: Call, error: LarderError): void {
    const isRetried = !call.isWrite && error.retryable && call.losses++ < LOSSES_MAX && !this.#isClosed;
    if (!isRetried) {
      call.reject(lostError(call, error, call.node || (error.node ?? '')));
      return;
    }
    call.recall();
    this.#submit(call);
  }

  callMisplaced(call: Call): void {
    if (this.#isClosed) call.reject(closedError(call));
    else this.#submit(call);
  }

  connectionLost(node: string, error: LarderError, isFirst: boolean): void {
    if (this.#isClosed) return;
    this.#refresh.start({ except: node });
    if (isFirst) this.events.connectionLost(node, error);
  }

  connectionReady(node: string): void {
    this.events.connectionReady(node);
  }

  /** New calls fail with CLOSED. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Ends the connections; calls in flight fail with CLOSED. */
  close(): void {
    this.#isDraining = true;
    this.#isClosed = true;
    this.#detours.close();
    this.router.close();
  }

  #submit(call: Call): void {
    if (call.settled) return;
    let keyBytes: number;
    try {
      keyBytes = encodeKey(call.key);
    } catch (error) {
      call.reject(error as LarderError);
      return;
    }
    this.router.owner(partitionOf(keyScratch, 0, keyBytes)).submit(call, keyBytes);
  }

  /** To the owner by our view if that is another node than the one that refused; else later, when we know more. */
  #redirect(call: Call, error: LarderError): void {
    if (this.#isClosed) {
      call.reject(error);
      return;
    }
    const owner = this.router.owner(partitionOf(keyScratch, 0, encodeKey(call.key))).node;
    if (owner !== error.node) {
      this.#submit(call);
      return;
    }
    this.#detours.park(call, error);
    this.#refresh.start({ first: owner });
  }
}

function abortWith(call: Call, signal: AbortSignal): void {
  // Not `instanceof`: a signal may come from another realm, as in test runners.
  if (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function') {
    const message = `signal is ${shownValue(signal)}; allowed is an AbortSignal`;
    call.reject(new LarderError('BAD_ARGUMENT', message, { outcome: call.outcomeIfLost }));
    return;
  }
  const abort = (): void => call.reject(abortedError(call, signal.reason));
  if (signal.aborted) {
    abort();
    return;
  }
  signal.addEventListener('abort', abort, { once: true });
  call.onSettled = () => signal.removeEventListener('abort', abort);
}
