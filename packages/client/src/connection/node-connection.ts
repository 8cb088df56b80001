import type { Client as GrpcClient } from '@grpc/grpc-js';
import { adminService, type ClientView, checkedView, SESSION_VALUE_BYTES_MAX } from '@larder/proto';
import { BulkConnection } from './bulk-connection.js';
import type { Call } from './call.js';
import { callUnary, openChannel } from './channel.js';
import { SessionConnection, type SessionEvents, type SessionOptions } from './session-connection.js';

/** Everything between this client and one node: the session, and, once needed, Bulk and unary calls. */
export class NodeConnection {
  readonly session: SessionConnection;
  readonly #bulk: BulkConnection;
  #unary: GrpcClient | undefined;

  constructor(
    readonly node: string,
    readonly address: string,
    readonly options: SessionOptions,
    events: SessionEvents,
  ) {
    this.session = new SessionConnection(node, address, options, events);
    this.#bulk = new BulkConnection(node, address, options.clock, (call, error) => events.callFailed(call, error));
  }

  get inFlight(): number {
    return this.session.inFlight + this.#bulk.inFlight;
  }

  /** Sends the call whose key was just encoded into `keyScratch`. */
  submit(call: Call, keyBytes: number): void {
    if (call.value !== undefined && call.value.length > SESSION_VALUE_BYTES_MAX) this.submitBulk(call);
    else this.session.submit(call, keyBytes);
  }

  submitBulk(call: Call): void {
    if (call.deadlineMs === 0) {
      call.deadlineMs = this.options.clock.monotonicMs() + (call.timeoutMs || this.options.timeoutMs);
    }
    this.#bulk.submit(call);
  }

  fetchView(timeoutMs: number): Promise<ClientView> {
    this.#unary ??= openChannel(this.address);
    return fetchViewFrom(this.#unary, this.address, this.options.clock.wallMs() + timeoutMs);
  }

  fetchStatistics<Statistics>(timeoutMs: number): Promise<Statistics> {
    this.#unary ??= openChannel(this.address);
    const deadlineMs = this.options.clock.wallMs() + timeoutMs;
    return callUnary(this.#unary, 'GetStatistics', {}, deadlineMs, this.node, adminService);
  }

  close(): void {
    this.session.close();
    this.#bulk.close();
    this.#unary?.close();
  }
}

/** Asks an address for the view, on a channel of its own. */
export async function fetchViewOnce(address: string, deadlineMs: number): Promise<ClientView> {
  const channel = openChannel(address);
  try {
    return await fetchViewFrom(channel, address, deadlineMs);
  } finally {
    channel.close();
  }
}

interface ViewResponse {
  readonly view: { version: number; nodes: { id: string; address: string }[]; owners: number[] };
}

async function fetchViewFrom(channel: GrpcClient, node: string, deadlineMs: number): Promise<ClientView> {
  const response = await callUnary<ViewResponse>(channel, 'GetView', {}, deadlineMs, node);
  return checkedView(response.view);
}
