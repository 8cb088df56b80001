import type { Clock } from '@larder/base';
import type { EntryRef } from '@larder/loader';
import { encodeExpiry, expiryClass, passedExpiry, remainingMs } from './expiry.js';
import type { Invalidations } from './invalidation/invalidations.js';
import type { PartitionIndex } from './partition-index.js';
import type { PartitionStates } from './partition-states.js';
import type { Records } from './record.js';
import type { Residents } from './residents.js';
import { RemovalCause } from './storage.js';

/** When entries end, by their time or by an invalidation, and which of them stay all the same: dirty ones, and those of partitions that are not owned. */
export class Lives {
  readonly #records: Records;
  readonly #index: PartitionIndex;
  readonly #residents: Residents;
  readonly #states: PartitionStates;
  readonly #invalidations: Invalidations;
  readonly #clock: Clock;

  constructor(
    records: Records,
    index: PartitionIndex,
    residents: Residents,
    states: PartitionStates,
    invalidations: Invalidations,
    clock: Clock,
  ) {
    this.#records = records;
    this.#index = index;
    this.#residents = residents;
    this.#states = states;
    this.#invalidations = invalidations;
    this.#clock = clock;
  }

  isLive(ref: EntryRef, partition: number): boolean {
    if (this.#isInvalidated(ref, partition)) return this.#residents.isDirty(ref);
    const expiry = this.#records.expiry(ref);
    if (expiry === 0 || remainingMs(expiry, this.#nowMs()) > 0) return true;
    return this.#residents.isDirty(ref) || !this.#states.isOwned(partition);
  }

  /** Of an entry that is not live. An invalidation needs nobody told: other copies know it as well. */
  causeOfEnd(ref: EntryRef, partition: number): RemovalCause | 0 {
    return this.#isInvalidated(ref, partition) ? 0 : RemovalCause.expired;
  }

  /** At least 1; -1: it never ends. */
  remainingMs(ref: EntryRef): number {
    const expiry = this.#records.expiry(ref);
    return expiry === 0 ? -1 : Math.max(1, remainingMs(expiry, this.#nowMs()));
  }

  /** On the node's clock; Infinity: never. */
  endMs(ref: EntryRef): number {
    const expiry = this.#records.expiry(ref);
    if (expiry === 0) return Number.POSITIVE_INFINITY;
    const nowMs = this.#nowMs();
    return nowMs + remainingMs(expiry, nowMs);
  }

  /** `hash` is that of the entry's key. 0 ms: it never ends. */
  set(ref: EntryRef, partition: number, hash: number, ttlMs: number): void {
    const before = this.#records.expiry(ref);
    if (ttlMs === 0 && before === 0) return;
    const nowMs = this.#nowMs();
    const expiry = encodeExpiry(nowMs, ttlMs);
    this.#records.setExpiry(ref, expiry);
    const slot = this.#index.slotOf(ref, partition, hash);
    this.#index.setExpiryClass(slot, partition, expiryClass(expiry, nowMs));
    const space = this.#residents.space(this.#records.cache(ref));
    if (!this.#residents.isAside(ref)) space.policy.endChanged(ref);
  }

  /** Of an entry that stays beyond its end it is noted that the end has passed. */
  leaveIfExpired(partition: number, slot: number): boolean {
    const ref = this.#index.ref(slot);
    if (this.isLive(ref, partition)) {
      this.#noteEnd(ref);
      return false;
    }
    const cause = this.causeOfEnd(ref, partition);
    this.#residents.leave(ref, slot, partition, this.#residents.hashOf(ref), cause);
    return true;
  }

  /** An entry is not dirty any more: the sweep may have passed its end, and would take long to come back to it. */
  cleaned(ref: EntryRef): void {
    const expiry = this.#records.expiry(ref);
    if (expiry === 0) return;
    const nowMs = this.#nowMs();
    if (remainingMs(expiry, nowMs) > 0) return;
    const slot = this.#residents.slotOf(ref);
    this.#index.setExpiryClass(slot, this.#residents.partition, expiryClass(encodeExpiry(nowMs, 1), nowMs));
  }

  #isInvalidated(ref: EntryRef, partition: number): boolean {
    return this.#invalidations.isAny && this.#invalidations.isDead(ref, partition);
  }

  #noteEnd(ref: EntryRef): void {
    const expiry = this.#records.expiry(ref);
    if (expiry === 0) return;
    const nowMs = this.#nowMs();
    if (remainingMs(expiry, nowMs) <= 0) this.#records.setExpiry(ref, passedExpiry(expiry, nowMs));
  }

  #nowMs(): number {
    return Math.floor(this.#clock.monotonicMs());
  }
}
