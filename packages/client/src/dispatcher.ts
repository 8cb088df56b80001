import { type ClientView, LarderError, partitionOf } from '@larder/proto';
import type { AnswerReader, CacheHandle } from './connection/call.js';
import { Call } from './connection/call.js';
import type { SessionEvents } from './connection/session-connection.js';
import { encodeKey, keyScratch } from './keys.js';
import type { ResolvedConnectOptions } from './options.js';
import { Router } from './routing/router.js';

/**
 * From an operation to its owner and back: encodes the key, picks the connection, and sends again what came to the wrong
 * node. One promise and one Call per operation; nothing else is allocated unless something goes wrong.
 */

/** Sends of one call, the first included, while nodes disagree about who owns its key. */
const ATTEMPTS_MAX = 4;

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

export class Dispatcher implements SessionEvents {
  readonly router: Router;
  #refresh: Promise<void> | undefined;
  #closed = false;

  constructor(
    view: ClientView,
    readonly options: ResolvedConnectOptions,
    readonly events: DispatcherEvents,
  ) {
    this.router = new Router(view, { ...options, clientName: options.name }, this);
  }

  get inFlight(): number {
    return this.router.connections.reduce((sum, connection) => sum + connection.inFlight, 0);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Runs one operation at the key's owner. Rejects with a LarderError, also for bad arguments. */
  call(
    cache: CacheHandle,
    kind: number,
    key: string,
    value: Uint8Array | undefined,
    ttlMs: number,
    timeoutMs: number,
    answer: AnswerReader,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const promise = new Promise<unknown>(capture);
    const call = new Call(cache, kind, key, value, ttlMs, timeoutMs, answer, capturedResolve, capturedReject);
    if (signal !== undefined) abortWith(call, signal);
    if (this.#closed) call.reject(this.#closedError(call));
    else this.#submit(call);
    return promise;
  }

  viewReceived(view: ClientView): void {
    if (this.router.adopt(view)) this.events.viewChanged(view);
  }

  callFailed(call: Call, error: LarderError): void {
    if (error.code === 'NOT_OWNER' && call.attempts < ATTEMPTS_MAX && !this.#closed) {
      this.#refreshView(call.node).then(
        () => this.#submit(call),
        () => call.reject(error),
      );
      return;
    }
    call.reject(error);
  }

  callNeedsBulk(call: Call): void {
    const connection = this.router.connectionTo(call.node);
    if (connection) connection.submitBulk(call);
    else this.#submit(call);
  }

  connectionLost(node: string, error: LarderError): void {
    this.events.connectionLost(node, error);
  }

  connectionReady(node: string): void {
    this.events.connectionReady(node);
  }

  close(): void {
    this.#closed = true;
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

  /** Asks the node that sent us away; one question at a time serves all calls that wait for it. */
  #refreshView(node: string): Promise<void> {
    this.#refresh ??= this.#fetchView(node).finally(() => {
      this.#refresh = undefined;
    });
    return this.#refresh;
  }

  async #fetchView(node: string): Promise<void> {
    const connection = this.router.connectionTo(node) ?? this.router.connections[0];
    if (!connection) throw new LarderError('UNAVAILABLE', 'the view names no node');
    this.viewReceived(await connection.fetchView(this.options.timeoutMs));
  }

  #closedError(call: Call): LarderError {
    return new LarderError('CLOSED', 'the client was closed', { outcome: call.outcomeIfLost });
  }
}

function abortWith(call: Call, signal: AbortSignal): void {
  const abort = (): void => {
    call.reject(
      new LarderError('ABORTED', 'the call was aborted by its signal', {
        outcome: call.outcomeIfLost,
        cause: signal.reason,
      }),
    );
  };
  if (signal.aborted) {
    abort();
    return;
  }
  signal.addEventListener('abort', abort, { once: true });
  call.onSettled = () => signal.removeEventListener('abort', abort);
}
