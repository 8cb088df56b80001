import type { Client as GrpcClient } from '@grpc/grpc-js';
import { adminService, type ClientView, LarderError } from '@larder/proto';
import { BulkConnection } from './bulk-connection.js';
import type { BulkFacts, Call } from './call.js';
import { callUnary, openChannel } from './channel.js';
import type { ConnectionEvents, SessionOptions } from './connection-events.js';
import { SessionConnection } from './session-connection.js';
import { requestView } from './view-request.js';

/** Everything between this client and one node: the session, Bulk and unary calls, each made when it is first needed. */
export class NodeConnection {
  #session: SessionConnection | undefined;
  #bulk: BulkConnection | undefined;
  #unary: GrpcClient | undefined;
  #isClosed = false;
  #isRetired = false;

  constructor(
    readonly node: string,
    readonly address: string,
    readonly options: SessionOptions,
    readonly events: ConnectionEvents,
  ) {}

  /** Calls that somebody waits for. */
  get unsettled(): number {
    return (this.#session?.unsettled ?? 0) + (this.#bulk?.unsettled ?? 0);
  }

  /** Sends the call whose key was just encoded into `keyScratch`. */
  submit(call: Call, keyBytes: number): void {
    this.#session ??= this.#openSession();
    this.#session.submit(call, keyBytes);
  }

  fetchView(timeoutMs: number): Promise<ClientView> {
    return requestView(this.#unaryChannel(), this.address, this.options.clock.wallMs() + timeoutMs);
  }

  /** A call of AdminService. */
  async ask<Answer>(method: string, request: object, timeoutMs: number): Promise<Answer> {
    const deadlineMs = this.options.clock.wallMs() + timeoutMs;
    return callUnary<Answer>(this.#unaryChannel(), method, request, deadlineMs, this.node, adminService);
  }

  /** Another view is in force: gives back the calls whose keys may have another owner now. `hasGained`: it gives this node partitions. */
  ownersChanged(hasGained: boolean): void {
    this.#session?.ownersChanged(hasGained);
    this.#bulk?.ownersChanged();
  }

  /** Takes no more calls and closes when those in flight are answered. */
  retire(): void {
    this.#isRetired = true;
    this.#session?.retire();
    this.#bulk?.retire();
    this.#unary?.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#session?.close();
    this.#bulk?.close();
    this.#unary?.close();
  }

  #openSession(): SessionConnection {
    return new SessionConnection(this.node, this.address, this.options, this.events, this.#submitBulk);
  }

  readonly #submitBulk = (call: Call, facts?: BulkFacts): void => {
    if (this.#isRetired) {
      this.events.callMisplaced(call);
      return;
    }
    this.#bulk ??= new BulkConnection(this.node, this.address, this.options, this.events);
    this.#bulk.submit(call, facts);
  };

  #unaryChannel(): GrpcClient {
    if (this.#isClosed) throw new LarderError('CLOSED', 'the client was closed');
    this.#unary ??= openChannel(this.address);
    return this.#unary;
  }
}
