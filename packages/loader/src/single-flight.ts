import type { KeySlice } from '@larder/proto';
import type { FillLeases } from './fill-leases.js';
import { keyText, sharedKey } from './key-text.js';
import type { Reply } from './reply.js';

/** One load of one key, and everybody who waits for it. */
export class Flight {
  readonly waiters: Reply[] = [];
  /** Those who want what the origin has, and nothing else. */
  readonly fresh: Reply[] = [];
  /** Another load has begun after it, because somebody must not be told what this one may have been told before. */
  overtaken = false;
  /** It is under way to the origin: whoever comes now may be told what was there before. */
  hasLeft = false;
  /** Nobody has asked for it: it is loaded ahead of time. */
  isRefresh = false;
  /** When the last waiter gives up. */
  deadlineMs = 0;
  /** The key was written or deleted since the load began: what is loaded may be older and must not be stored. */
  superseded = false;
  /** Its row might have changed without a trace when the load began. */
  isUnsure = false;
  /** A load of the same key that is under way and that later gets could not join. */
  older: Flight | undefined = undefined;

  constructor(
    readonly text: string,
    readonly partition: number,
    /** The last invalidation before the load began. */
    readonly invalidationOrder = 0,
  ) {}

  /** Valid until the next key is asked for. */
  get key(): KeySlice {
    return sharedKey(this.text, this.partition);
  }

  get count(): number {
    return this.waiters.length + this.fresh.length;
  }

  everybody(): readonly Reply[] {
    return this.fresh.length === 0 ? this.waiters : [...this.waiters, ...this.fresh];
  }

  join(reply: Reply, deadlineMs: number, isFresh: boolean): void {
    (isFresh ? this.fresh : this.waiters).push(reply);
    if (deadlineMs > this.deadlineMs) this.deadlineMs = deadlineMs;
  }
}

/**
 * At most one load of a key at a time. A write ends the reign of the load that is under way: those who waited before
 * the write may still get the old value, because their get and the write overlap; those who come later must not, so
 * they find no flight and begin a new one.
 */
export class SingleFlight {
  readonly #flights = new Map<string, Flight>();
  /** Flights that began before this invalidation can be joined no more. */
  #joinableOrder = 0;

  /** `leases`: the loads that applications have under way; they end with those of the cache. */
  constructor(readonly leases: FillLeases) {}

  /** The load that a get of this key can join. */
  current(text: string): Flight | undefined {
    const flight = this.#flights.get(text);
    return flight !== undefined && flight.invalidationOrder >= this.#joinableOrder ? flight : undefined;
  }

  begin(flight: Flight): void {
    flight.older = this.#flights.get(flight.text);
    this.#flights.set(flight.text, flight);
  }

  /** Older loads of the key, which are still under way, must not come in its place. */
  end(flight: Flight): void {
    if (flight.superseded) return;
    for (let older = flight.older; older !== undefined; older = older.older) older.superseded = true;
    flight.older = undefined;
    flight.superseded = true;
    if (this.#flights.get(flight.text) === flight) this.#flights.delete(flight.text);
  }

  /** Nobody joins it any more, nor an older one, and none of them is stored. */
  overtake(flight: Flight): void {
    for (let each: Flight | undefined = flight; each !== undefined; each = each.older) each.overtaken = true;
    this.#flights.delete(flight.text);
  }

  /**
   * Something was invalidated, or everything. Who comes from now on does not join a load that began before. Whether that may
   * still be stored is seen when its value is there.
   */
  invalidated(order: number, isEverything: boolean): void {
    this.#joinableOrder = order;
    if (isEverything) this.leases.endAll();
  }

  /** The key has just been written, deleted or given another life. */
  supersede(key: KeySlice): void {
    if (this.#flights.size === 0 && this.leases.count === 0) return;
    const text = keyText(key);
    if (text !== undefined) this.supersedeText(text);
  }

  /** The partition's keys may be written elsewhere from now on. */
  supersedePartition(partition: number): void {
    for (const flight of this.#flights.values()) if (flight.partition === partition) this.supersedeText(flight.text);
    this.leases.endPartition(partition);
  }

  supersedeText(text: string): void {
    this.leases.endText(text);
    const flight = this.#flights.get(text);
    if (flight === undefined) return;
    for (let each: Flight | undefined = flight; each !== undefined; each = each.older) each.superseded = true;
    this.#flights.delete(text);
  }
}
