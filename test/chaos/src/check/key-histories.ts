import type { CacheKind, CallRecord } from './call-record.js';

/** All calls of one key whose life is over. */
export interface KeyHistory {
  readonly cache: CacheKind;
  readonly key: string;
  readonly calls: readonly CallRecord[];
}

/**
 * Gathers the calls of all clients by key until the key's life is over and every client has told all that it did in it.
 * What is held at a time are the keys that are in use and those that are not told of completely: a few thousand.
 */
export class KeyHistories {
  readonly #open = new Map<string, { history: KeyHistory & { calls: CallRecord[] }; endMs: number }>();
  readonly #toldUntilMs = new Map<string, number>();

  constructor(clients: readonly string[]) {
    for (const client of clients) this.#toldUntilMs.set(client, Number.NEGATIVE_INFINITY);
  }

  /** `endMs`: the end of the key's life. */
  add(record: CallRecord, endMs: number): void {
    const { cache, key } = record;
    const name = `${cache}/${key}`;
    const known = this.#open.get(name);
    if (known === undefined) this.#open.set(name, { history: { cache, key, calls: [record] }, endMs });
    else known.history.calls.push(record);
  }

  /** This client has told of every call that it began before. */
  toldUntil(client: string, timeMs: number): void {
    this.#toldUntilMs.set(client, timeMs);
  }

  /** Hands out, once, the keys whose life ended `restMs` before what the slowest client has told of. */
  take(restMs: number): KeyHistory[] {
    return this.#takeUntil(Math.min(...this.#toldUntilMs.values()) - restMs);
  }

  /** Hands out all that it has, when the clients have ended. */
  takeAll(): KeyHistory[] {
    return this.#takeUntil(Number.POSITIVE_INFINITY);
  }

  get openCount(): number {
    return this.#open.size;
  }

  #takeUntil(untilMs: number): KeyHistory[] {
    const ended = [...this.#open].filter(([, { endMs }]) => endMs <= untilMs);
    for (const [name] of ended) this.#open.delete(name);
    return ended.map(([, { history }]) => history);
  }
}
