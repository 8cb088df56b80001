import { RequestSlots } from './request-slots.js';

/**
 * The applied requests of a node, of all copies that it holds, by client: see RequestLog, which is what one copy sees of
 * them. They lie together because a client numbers its requests one by one over all partitions: so what a write has to
 * look at lies beside what the one before it has looked at, where a table for each partition would be out of every cache.
 *
 * A request is forgotten when its client says that it is settled, or after 30 to 60 s. For that each client has two
 * generations; every 30 s the older one goes, and with it the client if it has not written since.
 */
export const REQUEST_KEPT_MS = 30_000;
/** 64 MB. When it is reached new writes are refused as BUSY; one table may be doubled beyond it. */
export const REQUEST_SLOTS_OF_NODE_MAX = 2_000_000;

/** Of a client that has none in that generation: without a slot, so nothing is ever put into it. */
const NONE = new RequestSlots(1, 0);

interface ClientRequests {
  settledBelow: number;
  young: RequestSlots;
  old: RequestSlots;
}

/** What was kept of a request; valid until the next call of the table. */
export interface FoundRequest {
  readonly slots: RequestSlots;
  readonly slot: number;
}

export class RequestTable {
  readonly #clients = new Map<number, ClientRequests>();
  /** Of the logs whose copies are there. */
  readonly #logs = new Set<number>();
  #lastLog = 0;
  #slots = 0;
  #turnMs = Number.NEGATIVE_INFINITY;
  /** The client that was asked for last: requests come in bursts. */
  #lastId = -1;
  #last: ClientRequests | undefined;

  /** `hashKey`: 32 random bits. */
  constructor(readonly hashKey: number) {}

  /** Of 32 bytes each. */
  get slots(): number {
    return this.#slots;
  }

  get hasRoom(): boolean {
    return this.#slots < REQUEST_SLOTS_OF_NODE_MAX;
  }

  /** The number of a log that begins empty. */
  openLog(): number {
    do this.#lastLog = (this.#lastLog + 1) & 0x7fff_ffff;
    while (this.#lastLog === 0 || this.#logs.has(this.#lastLog));
    this.#logs.add(this.#lastLog);
    return this.#lastLog;
  }

  /** Its requests do not count any more. */
  closeLog(log: number): void {
    this.#logs.delete(log);
  }

  settledBelow(client: number): number {
    return this.#client(client)?.settledBelow ?? 0;
  }

  /** Of a client that is known. */
  settle(client: number, settledBelow: number): void {
    const requests = this.#client(client);
    if (requests !== undefined && settledBelow > requests.settledBelow) this.#settle(requests, settledBelow);
  }

  find(log: number, client: number, number: number): FoundRequest | undefined {
    const requests = this.#client(client);
    if (requests === undefined || number < requests.settledBelow) return undefined;
    return findIn(requests.young, log, number) ?? findIn(requests.old, log, number);
  }

  put(
    log: number,
    client: number,
    number: number,
    settledBelow: number,
    epoch: number,
    seq: number,
    result: number,
  ): void {
    // No client numbers a request 0; a peer may send anything.
    if (number < 1) return;
    const requests = this.#client(client) ?? this.#begin(client);
    if (settledBelow > requests.settledBelow) this.#settle(requests, settledBelow);
    if (requests.young === NONE || requests.young.isFull) this.#tidy(requests);
    requests.young.put(number, log, epoch, seq, result);
  }

  /** Every request of a log that counts. */
  forEach(log: number, visit: (client: number, settledBelow: number, slots: RequestSlots, slot: number) => void): void {
    for (const [client, { settledBelow, young, old }] of this.#clients) {
      for (const slots of [old, young]) {
        slots.forEach((slot) => {
          if (slots.log(slot) !== log) return;
          const number = slots.number(slot);
          const isRenewed = slots === old && findIn(young, log, number) !== undefined;
          if (number >= settledBelow && !isRenewed) visit(client, settledBelow, slots, slot);
        });
      }
    }
  }

  /** What each client has settled, of those that have settled something. */
  forEachSettled(visit: (client: number, settledBelow: number) => void): void {
    for (const [client, { settledBelow }] of this.#clients) if (settledBelow > 1) visit(client, settledBelow);
  }

  /**
   * Forgets what is older than 30 s, after 60 s at the latest, and at the bound what does not count any more. Call it from
   * time to time.
   */
  expire(nowMs: number): void {
    if (!this.hasRoom) for (const requests of this.#clients.values()) if (requests.young !== NONE) this.#tidy(requests);
    if (nowMs - this.#turnMs < REQUEST_KEPT_MS) return;
    this.#turnMs = nowMs;
    this.#lastId = -1;
    for (const [client, requests] of this.#clients) {
      this.#slots -= requests.old.length;
      if (requests.young === NONE) {
        this.#clients.delete(client);
      } else {
        requests.old = requests.young;
        requests.young = NONE;
      }
    }
  }

  #client(id: number): ClientRequests | undefined {
    if (id === this.#lastId) return this.#last;
    const requests = this.#clients.get(id);
    if (requests !== undefined) {
      this.#lastId = id;
      this.#last = requests;
    }
    return requests;
  }

  #begin(id: number): ClientRequests {
    const requests = { settledBelow: 0, young: NONE, old: NONE };
    this.#clients.set(id, requests);
    return requests;
  }

  #settle(requests: ClientRequests, settledBelow: number): void {
    requests.settledBelow = settledBelow;
    if (requests.old.highest >= settledBelow) return;
    this.#slots -= requests.old.length;
    requests.old = NONE;
  }

  #tidy(requests: ClientRequests): void {
    const { young, settledBelow } = requests;
    requests.young =
      young === NONE
        ? new RequestSlots(this.hashKey)
        : young.tidied((log, number) => number >= settledBelow && this.#logs.has(log));
    this.#slots += requests.young.length - young.length;
  }
}

function findIn(slots: RequestSlots, log: number, number: number): FoundRequest | undefined {
  const slot = slots.find(number);
  return slot >= 0 && slots.log(slot) === log ? { slots, slot } : undefined;
}
