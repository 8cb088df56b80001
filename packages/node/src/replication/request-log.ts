import type { ReplicatedRecord, RequestId } from './record.js';
import type { FoundRequest, RequestTable } from './request-table.js';

/**
 * Which requests a partition has applied, and what they were told, so that a client may repeat a write whose answer it
 * did not get. It belongs to the copy: records bring it along, a sync carries it over, and it goes with the copy.
 *
 * In steady state it has what is in flight. What a client has settled is remembered as well, so that a request that was
 * under way for long is not taken for a new one. All logs of a node share one table and its bound; when it is reached new
 * writes are refused as BUSY, because forgetting a request would let it be applied twice.
 */
export interface LoggedRequest {
  readonly client: number;
  readonly number: number;
  readonly settledBelow: number;
  readonly seq: number;
  readonly epoch: number;
  readonly result: number;
}

export class RequestLog {
  /** In the table; 0: there was nothing to keep yet. */
  #log = 0;

  constructor(readonly table: RequestTable) {}

  find({ client, number, settledBelow }: RequestId): LoggedRequest | undefined {
    this.table.settle(client, settledBelow);
    const found = this.table.find(this.#log, client, number);
    return found && loggedRequest(client, this.table.settledBelow(client), found);
  }

  /** The client has done with this request; who still brings it was under way for long. */
  isSettled({ client, number }: RequestId): boolean {
    return number < this.table.settledBelow(client);
  }

  add({ request, epoch, seq, result }: ReplicatedRecord): void {
    if (request !== undefined) this.log(request, epoch, seq, result);
  }

  put(request: LoggedRequest): void {
    this.log(request, request.epoch, request.seq, request.result);
  }

  log({ client, number, settledBelow }: RequestId, epoch: number, seq: number, result: number): void {
    if (this.#log === 0) this.#log = this.table.openLog();
    this.table.put(this.#log, client, number, settledBelow, epoch, seq, result);
  }

  /**
   * What a new copy needs: the requests that count, and of each client a settled one, by which the copy hears what is
   * settled. For that all requests of the node are looked at.
   */
  all(): LoggedRequest[] {
    const all: LoggedRequest[] = [];
    this.table.forEachSettled((client, settledBelow) => {
      all.push({ client, number: settledBelow - 1, settledBelow, seq: 0, epoch: 0, result: 0 });
    });
    if (this.#log === 0) return all;
    this.table.forEach(this.#log, (client, settledBelow, slots, slot) => {
      all.push(loggedRequest(client, settledBelow, { slots, slot }));
    });
    return all;
  }

  clear(): void {
    if (this.#log !== 0) this.table.closeLog(this.#log);
    this.#log = 0;
  }
}

function loggedRequest(client: number, settledBelow: number, { slots, slot }: FoundRequest): LoggedRequest {
  return {
    client,
    number: slots.number(slot),
    settledBelow,
    seq: slots.seq(slot),
    epoch: slots.epoch(slot),
    result: slots.result(slot),
  };
}
