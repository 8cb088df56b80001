import type { Clock, Random, Timer } from '@larder/base';
import type { LarderError } from '@larder/proto';
import type { Caches } from './caches.js';
import type { FoundingOptions } from './cluster/founding-view.js';
import { Member } from './cluster/member.js';
import type { MemberHost } from './cluster/member-options.js';
import type { ViewDocument, ViewMember } from './cluster/view-document.js';
import type { ViewStore } from './cluster/view-store/view-store.js';
import type { ClusterDescription } from './link/cluster-description.js';
import { RefusalFilter } from './link/refusal-filter.js';
import type { Log } from './log.js';
import { DirtyAdoption } from './partitions/dirty-adoption.js';
import { OwnedPartitions } from './partitions/owned-partitions.js';
import { Removals } from './partitions/removals.js';
import { StoredCopy } from './partitions/stored-copy.js';
import type { CopyEntries } from './replication/copy-entries.js';
import type { Envelope } from './replication/messages.js';
import type { Storage } from './storage/storage.js';

/**
 * This process's part in the cluster: a member (cluster/member.ts) over the node's storage, loaders and links. When the
 * cluster has gone on without the node, because it stood still for too long, it begins anew as another incarnation, with
 * nothing in its memory.
 */
export interface MembershipOptions {
  readonly self: Omit<ViewMember, 'incarnation' | 'draining'>;
  /** For a node that may found the cluster when the view store is empty. */
  readonly founding: FoundingOptions | undefined;
  readonly store: ViewStore;
  readonly storage: Storage;
  readonly caches: Caches;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  send(node: string, envelope: Envelope): void;
  viewInstalled(view: ViewDocument): void;
  /** Of partitions that another node has served. */
  takenOver(): void;
}

/** So long a partition that was lost explains misses of keys that nobody remembers: what is asked for again came by then. A guess. */
const EMPTIED_MS = 60_000;
/** Between the news that the cluster goes on without this node and its return. */
const RETURN_AFTER_MS = 200;

export class Membership implements MemberHost {
  readonly partitions: OwnedPartitions;
  /** What the storage calls when it removes an entry by itself. */
  readonly removals: Removals;
  #options: MembershipOptions | undefined;
  #adoption: DirtyAdoption | undefined;
  #member: Member | undefined;
  #view: ViewDocument | undefined;
  #returning: Timer | undefined;
  readonly #refusals = new RefusalFilter();
  #isLeaving = false;
  #hasLeft = false;
  #isCacheMissing = false;
  readonly #waitingForView: (() => void)[] = [];
  readonly #waitingToLeave: (() => void)[] = [];

  /** `sendAll` is called at the end of each turn in which something was handed to `send`. */
  constructor(selfId: string, sendAll: () => void) {
    this.partitions = new OwnedPartitions(selfId, () => this.#member, sendAll);
    this.removals = new Removals(this.partitions);
  }

  get member(): Member | undefined {
    return this.#member;
  }

  /** Begins to take part. Resolves when the node is in the view. */
  async join(options: MembershipOptions): Promise<void> {
    this.#options = options;
    this.#adoption = new DirtyAdoption(options.storage, options.caches);
    this.#begin();
    if (!this.#member!.listed) await new Promise<void>((resolve) => this.#waitingForView.push(resolve));
  }

  /** Hands its partitions over. Resolves when the node is in no view any more, or when there is nobody to take them. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.#returning?.cancel();
    if (this.#member === undefined || this.#hasLeft || this.#isLastOne()) return;
    this.#member.drain();
    await new Promise<void>((resolve) => this.#waitingToLeave.push(resolve));
  }

  stop(): void {
    this.#returning?.cancel();
    this.#member?.stop();
    this.#member = undefined;
  }

  /** What other nodes know this one by; the cluster is '' while it belongs to none. */
  get identity(): { readonly incarnation: string; readonly cluster: string } {
    return { incarnation: this.#member?.self.incarnation ?? '', cluster: this.#member?.view?.cluster ?? '' };
  }

  /** What a node that wants to join is told. */
  get description(): Omit<ClusterDescription, 'node' | 'voters' | 'caches' | 'copies'> {
    const view = this.#member?.view;
    const members = view?.members.map(({ id, address }) => ({ id, address })) ?? [];
    return { cluster: view?.cluster ?? '', viewVersion: view?.version ?? 0, members };
  }

  received(envelope: Envelope): void {
    this.#member?.receive(envelope);
    this.partitions.scheduleFlush();
  }

  opened(node: string): void {
    this.#member?.linkOpened(node);
    this.partitions.scheduleFlush();
  }

  /** One bounded step of what there is to do beside calls. Returns whether there is more. */
  maintain(budgetMs: number): boolean {
    if (this.#options === undefined) return false;
    const { storage } = this.#options;
    const isBehind = storage.maintain(budgetMs);
    this.partitions.forgetEmptied(this.#options.clock.monotonicMs());
    this.removals.submit();
    return this.#adoption!.step() || isBehind;
  }

  sweep(budgetMs: number): void {
    this.#options?.storage.sweep(budgetMs);
  }

  send(node: string, envelope: Envelope): void {
    this.#options!.send(node, envelope);
    this.partitions.scheduleFlush();
  }

  createEntries(partition: number): CopyEntries {
    const { storage, caches } = this.#options!;
    return new StoredCopy(partition, storage, this.removals, caches.all.length, (cache) => this.#cacheMissing(cache));
  }

  viewInstalled(view: ViewDocument): void {
    this.#noteEmptied(view);
    this.#options!.viewInstalled(view);
    if (this.#member?.listed) for (const resolve of this.#waitingForView.splice(0)) resolve();
    if (this.#isLeaving && this.#isLastOne()) this.#left();
  }

  evictableChanged(partition: number, evictable: boolean): void {
    this.#options!.storage.setOwned(partition, evictable);
  }

  ownerChanged(partition: number, owns: boolean): void {
    const member = this.#member;
    const replicator = owns ? member?.owning(partition) : undefined;
    this.partitions.ownerChanged(partition, replicator);
    if (replicator === undefined) this.#disowned(partition);
    else this.#owned(partition);
  }

  #owned(partition: number): void {
    this.#adoption!.begin(partition);
    const { isInherited, beforeMineMs } = this.#member!.copyOf(partition)!;
    if (!isInherited) return;
    const sinceMs = beforeMineMs - this.#options!.clock.monotonicMs();
    for (const { loader } of this.#options!.caches.all) loader.takenOver(partition, sinceMs);
    this.#options!.takenOver();
  }

  #disowned(partition: number): void {
    this.#adoption!.cancel(partition);
    for (const { loader } of this.#options!.caches.all) loader.disown(partition);
  }

  expelled(): void {
    const { log, clock } = this.#options!;
    this.#member = undefined;
    if (this.#isLeaving) {
      this.#left();
      return;
    }
    log.warn({ event: 'expelled', reason: 'the cluster has gone on without this node; it returns with empty memory' });
    this.#returning = clock.after(RETURN_AFTER_MS, () => this.#begin());
  }

  refused(node: string, error: LarderError): void {
    if (!this.#refusals.isNew(node, error)) return;
    this.#options!.log.warn({ event: 'peer-refused', peer: node, error: error.message });
  }

  #noteEmptied(view: ViewDocument): void {
    const before = this.#view;
    this.#view = view;
    if (before?.cluster !== view.cluster) return;
    const untilMs = this.#options!.clock.monotonicMs() + EMPTIED_MS;
    for (const [partition, { lost }] of view.partitions.entries()) {
      if (lost > before.partitions[partition]!.lost) this.partitions.emptied(partition, untilMs);
    }
  }

  /** The other nodes were given a cache that this one has not, and it is in use. Logged once. */
  #cacheMissing(cache: number): void {
    if (this.#isCacheMissing) return;
    this.#isCacheMissing = true;
    const effect =
      'this node keeps no copy of partitions that have entries of it until its configuration has the cache';
    this.#options!.log.warn({ event: 'cache-missing', cache: cache + 1, effect });
  }

  #begin(): void {
    const { self, founding, store, clock, random } = this.#options!;
    this.#member = new Member({ self, founding, store, clock, random }, this);
  }

  #left(): void {
    this.#hasLeft = true;
    for (const resolve of this.#waitingToLeave.splice(0)) resolve();
  }

  /** There is nobody to hand anything to: it is alone, or all are leaving, and each of them knows that of the others. */
  #isLastOne(): boolean {
    const members = this.#member!.view?.members ?? [];
    return members.length < 2 || members.every(({ draining }) => draining);
  }
}
