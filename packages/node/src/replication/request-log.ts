import type { ReplicatedRecord, RequestId } from './record.js';

/**
 * Which requests a partition has applied, and what they were told, so that a client may repeat a write whose answer it
 * did not get. It belongs to the copy: records bring it along, a sync carries it over.
 *
 * A request is forgotten when its client says that it is settled, or after 30 s: three times as long as a client tries.
 * In steady state that leaves what is in flight, and the last request of each client. What a client has settled is
 * remembered as well, so that a request that was under way for long is not taken for a new one. All logs of a node share
 * one bound; when it is reached new writes are refused as BUSY, because forgetting a request would let it be applied twice.
 *
 * A thousand clients that write to all partitions are a million entries, too many to look through for the old ones. So
 * clients are in two generations. Every 30 s those of the older one, who have not written since, are forgotten at once.
 */

export const REQUEST_KEPT_MS = 30_000;
/** The one request of a client takes 350 bytes, each further one 135 (heap of Node 20, 500 clients, 682 partitions). */
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
  /** Those who have written since the last turn of generations, and how many of their requests are kept. */
  #young = new Map<number, ClientRequests>();
  #youngCount = 0;
  #old = new Map<number, ClientRequests>();
  #oldCount = 0;
  #turnMs = Number.NEGATIVE_INFINITY;

  constructor(readonly budget: RequestBudget) {}

  find(request: RequestId): LoggedRequest | undefined {
    return this.#client(request.client)?.kept.get(request.number);
  }

  /** The client has done with this request; who still brings it was under way for long. */
  isSettled(request: RequestId): boolean {
    const client = this.#client(request.client);
    return client !== undefined && request.number < client.settledBelow;
  }

  add(record: ReplicatedRecord, nowMs: number): void {
    const { request, epoch, seq, result } = record;
    if (request === undefined) return;
    const { client, number, settledBelow } = request;
    this.#keep({ client, number, settledBelow, epoch, seq, result, untilMs: nowMs + REQUEST_KEPT_MS }, nowMs);
  }

  log({ client, number, settledBelow }: RequestId, epoch: number, seq: number, result: number, nowMs: number): void {
    this.#keep({ client, number, settledBelow, epoch, seq, result, untilMs: nowMs + REQUEST_KEPT_MS }, nowMs);
  }

  put(request: LoggedRequest, nowMs: number): void {
    this.#keep({ ...request, untilMs: nowMs + REQUEST_KEPT_MS }, nowMs);
  }

  /** Forgets clients who have not written for 30 s, after 60 s at the latest. Call it from time to time. */
  expire(nowMs: number): void {
    if (nowMs - this.#turnMs < REQUEST_KEPT_MS) return;
    this.#turnMs = nowMs;
    this.budget.count -= this.#oldCount;
    this.#old = this.#young;
    this.#oldCount = this.#youngCount;
    this.#young = new Map();
    this.#youngCount = 0;
  }

  all(): LoggedRequest[] {
    return [...this.#old.values(), ...this.#young.values()].flatMap(({ kept }) => [...kept.values()]);
  }

  clear(): void {
    this.budget.count -= this.#youngCount + this.#oldCount;
    this.#young = new Map();
    this.#old = new Map();
    this.#youngCount = 0;
    this.#oldCount = 0;
  }

  #client(id: number): ClientRequests | undefined {
    return this.#young.get(id) ?? this.#old.get(id);
  }

  #keep(request: KeptRequest, nowMs: number): void {
    const client = this.#young.get(request.client) ?? this.#rejuvenated(request.client);
    if (!client.kept.has(request.number)) this.#count(1);
    client.kept.set(request.number, request);
    if (request.settledBelow > client.settledBelow) client.settledBelow = request.settledBelow;
    this.#forgetFirst(client, nowMs);
  }

  #rejuvenated(id: number): ClientRequests {
    const client = this.#old.get(id) ?? { settledBelow: 0, kept: new Map<number, KeptRequest>() };
    if (this.#old.delete(id)) {
      this.#oldCount -= client.kept.size;
      this.#youngCount += client.kept.size;
    }
    this.#young.set(id, client);
    return client;
  }

  /** Requests of a client come roughly in order, so it looks at the first only: whether it is settled, or too old. */
  #forgetFirst({ kept, settledBelow }: ClientRequests, nowMs: number): void {
    for (const [number, { untilMs }] of kept) {
      if (number >= settledBelow && untilMs > nowMs) return;
      kept.delete(number);
      this.#count(-1);
    }
  }

  #count(change: 1 | -1): void {
    this.#youngCount += change;
    this.budget.count += change;
  }
}
