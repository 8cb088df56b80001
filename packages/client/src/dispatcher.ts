import { type ClientView, LarderError, type OperationExtras, type Outcome, partitionOf } from '@larder/proto';
import { type AnswerReader, type CacheHandle, Call } from './connection/call.js';
import { abortedError, closedError, forgottenError, lostError, RETRY_MS_MAX } from './connection/call-errors.js';
import type { ConnectionEvents } from './connection/connection-events.js';
import type { NodeConnection } from './connection/node-connection.js';
import { encodeKey, keyScratch } from './keys.js';
import type { ResolvedConnectOptions } from './options.js';
import { RequestNumbers } from './request-numbers.js';
import { Detours } from './routing/detours.js';
import { RetryBudget } from './routing/retry-budget.js';
import { Router } from './routing/router.js';
import { ViewRefresh } from './routing/view-refresh.js';
import { shownValue } from './shown-value.js';

/**
 * From an operation to its owner and back: encodes the key, picks the connection, and sends again, until its deadline,
 * what was turned away or whose connection broke. One promise and one Call per operation; nothing else is allocated
 * unless something goes wrong.
 *
 *   the node said            and then                                      counts for the retry budget
 *   NOT_OWNER                at once to the owner, or after a pause        no
 *   UNAVAILABLE              after a pause: it is about to stop            no
 *   BUSY, with a version     after a pause: the partition changes hands    no
 *   BUSY                     after a pause                                 yes
 *   nothing, and broke       at once, LOSSES_MAX times                     from the second time on
 *   nothing, and lost its    at once to the new owner                      no
 *   partition
 *   anything else            the call fails
 *
 * A write keeps its number (request-numbers.ts), so that it is applied once. If a try may have been applied and the call
 * fails nevertheless, its outcome is unknown, whatever a later try was told.
 */

/** More mean that the call itself may be what breaks connections. */
const LOSSES_MAX = 4;

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
  readonly #numbers: RequestNumbers;
  readonly #budget: RetryBudget;
  /** No new calls; those in flight go on. */
  #isDraining = false;
  #isClosed = false;

  /** Throws INTERNAL for a view that cannot be used. */
  constructor(
    view: ClientView,
    readonly options: ResolvedConnectOptions,
    readonly events: DispatcherEvents,
  ) {
    this.#numbers = new RequestNumbers(options.random);
    this.#budget = new RetryBudget(options.clock, options.retryTokensMax);
    this.router = new Router(view, { ...options, clientName: options.name, numbers: this.#numbers }, this);
    this.#detours = new Detours(options.clock, options.random, (call) => this.#submit(call));
    this.#refresh = new ViewRefresh(this.router, options, (received) => this.viewReceived(received));
  }

  get viewVersion(): number {
    return this.router.view.version;
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
    ack: number,
    signal: AbortSignal | undefined,
    extras?: OperationExtras,
  ): Promise<T> {
    const promise = new Promise<unknown>(capture) as Promise<T>;
    const call = new Call(
      cache,
      kind,
      key,
      value,
      ttlMs,
      timeoutMs,
      answer,
      ack,
      extras,
      capturedResolve,
      capturedReject,
    );
    this.#budget.calls++;
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
      call.recall(undefined);
      this.#redirect(call, error);
    } else if (this.#mayTryLater(error)) {
      this.#recall(call, error.outcome);
      this.#tryLater(call, error);
    } else {
      call.reject(error);
    }
  }

  callLost(call: Call, error: LarderError): void {
    const losses = ++call.losses;
    const isRetried = error.retryable && losses <= LOSSES_MAX && (losses === 1 || this.#budget.take());
    if (!isRetried || this.#isClosed) {
      call.reject(lostError(call, error, call.node || (error.node ?? '')));
      return;
    }
    this.#recall(call, call.outcomeIfLost);
    this.#submit(call);
  }

  callLeft(call: Call): void {
    this.#recall(call, call.outcomeIfGivenUp);
    this.callMisplaced(call);
  }

  isMisplaced(call: Call, node: string, address: string): boolean {
    const owner = this.#ownerOf(call);
    return owner.node !== node || owner.address !== address;
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

  nodeSilent(node: string): void {
    if (!this.#isClosed) this.#refresh.start({ except: node });
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
    const partition = partitionOf(keyScratch, 0, keyBytes);
    const lost = this.router.lost(partition);
    const { cluster } = this.router.view;
    if (call.mayBeApplied && (lost !== call.lost || cluster !== call.cluster || call.isForgotten(this.#numbers))) {
      call.reject(forgottenError(call));
      return;
    }
    call.lost = lost;
    call.cluster = cluster;
    this.router.owner(partition).submit(call, keyBytes);
  }

  /** To the owner by our view if that is another node than the one that refused; else later, when we know more. */
  #redirect(call: Call, error: LarderError): void {
    if (!this.#isClosed && this.#ownerOf(call).node !== error.node) this.#submit(call);
    else this.#tryLater(call, error);
  }

  /** What counts for the retry budget is counted. */
  #mayTryLater({ code, details }: LarderError): boolean {
    if (code === 'UNAVAILABLE') return details?.final !== true;
    return code === 'BUSY' && (details?.viewVersion !== undefined || this.#budget.take());
  }

  #tryLater(call: Call, error: LarderError): void {
    if (this.#isClosed) {
      call.reject(error);
      return;
    }
    this.#detours.park(call, error);
    const { viewVersion } = error.details ?? {};
    const isViewOld = typeof viewVersion === 'number' && viewVersion > this.viewVersion;
    if (error.code === 'NOT_OWNER' || isViewOld) this.#refresh.start({ first: error.node });
    // A node that is cut off from its cluster is BUSY for as long as it is, and will not hear who has taken over.
    else if (viewVersion !== undefined && error.node !== undefined) this.#refresh.start({ except: error.node });
  }

  /** A write in doubt is not tried for longer than nodes remember it. */
  #recall(call: Call, outcome: Outcome | undefined): void {
    const wasInDoubt = call.mayBeApplied;
    call.recall(outcome);
    if (wasInDoubt || !call.mayBeApplied) return;
    const madeMs = call.deadlineMs - (call.timeoutMs || this.options.timeoutMs);
    call.deadlineMs = Math.min(call.deadlineMs, madeMs + RETRY_MS_MAX);
  }

  #ownerOf(call: Call): NodeConnection {
    return this.router.owner(partitionOf(keyScratch, 0, encodeKey(call.key)));
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
