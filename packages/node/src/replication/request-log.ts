import type { ReplicatedRecord, RequestId } from './record.js';

/**
 * Which requests a partition has applied, and what they were told, so that a client may repeat a write whose answer it
 * did not get. It belongs to the copy: records bring it along, a sync carries it over.
 *
 * A request is forgotten when its client says that it is settled, or after 30 s: three times as long as a client tries.
 * In steady state that leaves what is in flight. What a client has settled is remembered as well, so that a request
 * that was under way for long is not taken for a new one. All logs of a node share one bound; when it is reached new writes are
 * refused as BUSY, because forgetting a request would let it be applied twice.
 */

export const REQUEST_KEPT_MS = 30_000;
/** About 100 bytes each. */
export const REQUESTS_OF_NODE_MAX = 1_000_000;

/** Shared by the logs of a node. */
export interface RequestBudget {
  count: number;
}

export interface LoggedRequest {
  readonly client: number;
  readonly number: number;
  readonly settledBelow: number;
  readonly seq: number;
  readonly epoch: number;
  readonly result: number;
}

interface KeptRequest extends LoggedRequest {
  readonly untilMs: number;
}

interface ClientRequests {
  settledBelow: number;
  /** By number, in the order in which they came. */
  readonly kept: Map<number, KeptRequest>;
}

export class RequestLog {
  readonly #clients = new Map<number, ClientRequests>();

  constructor(readonly budget: RequestBudget) {}

  find(request: RequestId): LoggedRequest | undefined {
    return this.#clients.get(request.client)?.kept.get(request.number);
  }

  /** The client has done with this request; who still brings it was under way for long. */
  isSettled(request: RequestId): boolean {
    const client = this.#clients.get(request.client);
    return client !== undefined && request.number < client.settledBelow;
  }

  add(record: ReplicatedRecord, nowMs: number): void {
    const { request, epoch, seq, result } = record;
    if (request === undefined) return;
    const { client, number, settledBelow } = request;
    this.#keep({ client, number, settledBelow, epoch, seq, result, untilMs: nowMs + REQUEST_KEPT_MS });
  }

  log({ client, number, settledBelow }: RequestId, epoch: number, seq: number, result: number, nowMs: number): void {
    this.#keep({ client, number, settledBelow, epoch, seq, result, untilMs: nowMs + REQUEST_KEPT_MS });
  }

  put(request: LoggedRequest, nowMs: number): void {
    this.#keep({ ...request, untilMs: nowMs + REQUEST_KEPT_MS });
  }

  /** Forgets what is older than 30 s. Requests of a client come roughly in order, so it looks at the oldest only. */
  expire(nowMs: number): void {
    for (const [id, { kept }] of this.#clients) {
      for (const [number, { untilMs }] of kept) {
        if (untilMs > nowMs) break;
        this.#forget(kept, number);
      }
      if (kept.size === 0) this.#clients.delete(id);
    }
  }

  all(): LoggedRequest[] {
    return [...this.#clients.values()].flatMap(({ kept }) => [...kept.values()]);
  }

  clear(): void {
    for (const { kept } of this.#clients.values()) this.budget.count -= kept.size;
    this.#clients.clear();
  }

  #keep(request: KeptRequest): void {
    let client = this.#clients.get(request.client);
    if (client === undefined) {
      client = { settledBelow: 0, kept: new Map() };
      this.#clients.set(request.client, client);
    }
    if (!client.kept.has(request.number)) this.budget.count++;
    client.kept.set(request.number, request);
    this.#settle(client, request.settledBelow);
  }

  #settle(client: ClientRequests, settledBelow: number): void {
    if (settledBelow > client.settledBelow) client.settledBelow = settledBelow;
    for (const number of client.kept.keys()) {
      if (number >= client.settledBelow) return;
      this.#forget(client.kept, number);
    }
  }

  #forget(kept: Map<number, KeptRequest>, number: number): void {
    if (kept.delete(number)) this.budget.count--;
  }
}
