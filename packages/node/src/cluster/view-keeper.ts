import type { Random } from '@larder/base';
import { type ElapsedTime, LONG_AGO, type Mark } from './elapsed-time.js';
import { KnownViews } from './known-views.js';
import type { ProtocolRules } from './protocol-rules.js';
import { refusalOf } from './refusal.js';
import type { ViewDocument } from './view-document.js';
import { ViewEditor } from './view-editor.js';
import type { CasOutcome, ViewReading, ViewStore } from './view-store/view-store.js';

/**
 * A node's view: the newest that it has seen, how long ago the store confirmed it, and the proposals of its own that may
 * become the next. It reads one at a time and proposes one at a time, and believes a document only after it was checked.
 */
export interface ViewKeeperHost {
  /** Of any view that this node can live with. */
  readonly partitionCount: number;
  installed(view: ViewDocument, before: ViewDocument | undefined): void;
  /** A proposal was made or settled: whose acknowledgements count may have changed. */
  proposalsChanged(): void;
  /** Other nodes should have this view soon. */
  won(): void;
  /** Try again after about so long. */
  retry(afterMs: number): void;
  refused(from: string, error: unknown): void;
}

const RETRY_MS_MIN = 5;
const RETRY_MS_MAX = 25;

export class ViewKeeper {
  view: ViewDocument | undefined;
  /** The view as it travels. */
  document: Uint8Array = new Uint8Array(0);
  /** The start of the last read, or successful proposal, that the store answered. */
  confirmed: Mark = LONG_AGO;
  /** The store holds no view: there is no cluster. */
  storeIsEmpty = false;
  readonly #editor = new ViewEditor();
  readonly #known = new KnownViews();
  #stopped = false;
  #reading = false;
  #readAgain = false;
  /** The last proposal lost: there is a newer view, and until it is here nothing can be won. */
  #mustRead = false;
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(
    readonly store: ViewStore,
    readonly time: ElapsedTime,
    readonly random: Random,
    readonly rules: ProtocolRules,
    readonly host: ViewKeeperHost,
  ) {}

  get version(): number {
    return this.view?.version ?? 0;
  }

  get mayPropose(): boolean {
    return !this.#editor.busy && !this.#mustRead && !this.#stopped;
  }

  /** Something must be proposed, if only the view as it is, to settle a proposal whose outcome is open. */
  get mustPropose(): boolean {
    return this.#editor.unresolved;
  }

  /** So much is open that nothing may be added to it. */
  get mustSettle(): boolean {
    return this.#editor.full;
  }

  stop(): void {
    this.#stopped = true;
  }

  get hasOpenProposals(): boolean {
    return this.#editor.busy || this.#editor.unresolved;
  }

  /** The views that may come to be by this node's own proposals. */
  openProposals(): ViewDocument[] {
    return this.#editor.open().filter((proposal) => proposal.version > this.version);
  }

  /** Reads if the last time was so long ago, or if nothing can go on without. */
  poll(everyMs: number): void {
    if (this.#mustRead || this.time.clock.monotonicMs() - this.#readMs >= everyMs) this.read();
  }

  read(): void {
    if (this.#stopped) return;
    if (this.#reading) {
      this.#readAgain = true;
      return;
    }
    this.#reading = true;
    this.#readMs = this.time.clock.monotonicMs();
    const started = this.time.mark();
    this.store.read((reading) => this.#wasRead(reading, started));
  }

  /** A document from the store or from a peer, who may be anybody. */
  offer(document: Uint8Array, from: string): void {
    try {
      const view = this.#known.read(document);
      if (this.view !== undefined && view.cluster !== this.view.cluster) {
        throw refusalOf.otherCluster(view.cluster, this.view.cluster);
      }
      if (view.partitions.length !== this.host.partitionCount) {
        throw refusalOf.otherPartitionCount(view.partitions.length, this.host.partitionCount);
      }
      if (view.version > this.version) this.#install(view, document);
    } catch (error) {
      this.host.refused(from, error);
    }
  }

  propose(proposal: ViewDocument): void {
    const started = this.time.mark();
    const document = this.#known.write(proposal);
    this.#editor.begin(proposal);
    this.host.proposalsChanged();
    this.store.cas(proposal.version - 1, document, (outcome) => {
      if (!this.#stopped) this.#proposed(outcome, proposal, document, started);
    });
  }

  #proposed(outcome: CasOutcome, proposal: ViewDocument, document: Uint8Array, started: Mark): void {
    this.#editor.end(outcome === 'unknown');
    if (outcome === 'won') {
      this.#confirm(started);
      if (proposal.version > this.version) this.#install(proposal, document);
      this.host.won();
      return;
    }
    this.host.proposalsChanged();
    if (outcome === 'lost') this.#mustRead = true;
    this.read();
    this.host.retry(RETRY_MS_MIN + this.random.next() * (RETRY_MS_MAX - RETRY_MS_MIN));
  }

  #wasRead(reading: ViewReading, started: Mark): void {
    this.#reading = false;
    if (this.#stopped) return;
    if (reading !== undefined) {
      this.storeIsEmpty = reading.version === 0;
      if (reading.version > this.version) this.offer(reading.document, 'the view store');
      if (!this.rules.unresolvedUntilOwnCas) this.#editor.forget();
      if (reading.version <= this.version) {
        this.#mustRead = false;
        this.#confirm(started);
      }
    }
    if (!this.#readAgain) return;
    this.#readAgain = false;
    this.read();
  }

  #confirm(started: Mark): void {
    if (started.monotonicMs > this.confirmed.monotonicMs) this.confirmed = started;
  }

  #install(view: ViewDocument, document: Uint8Array): void {
    const before = this.view;
    this.view = view;
    this.document = document;
    this.#editor.settle(view.version);
    this.host.installed(view, before);
  }
}
