import type { Duration } from '@larder/base';
import { CACHE_NAME_LENGTH_MAX, type ClientView, LarderError } from '@larder/proto';
import { Cache } from './cache.js';
import type { CacheOptions, CallOptions } from './cache-options.js';
import type { Codec } from './codecs/codec.js';
import { Dispatcher } from './dispatcher.js';
import type { NodeStatistics } from './node-statistics.js';
import { durationMs, type ResolvedConnectOptions, timeoutMs } from './options.js';

export interface LarderEvents {
  /** The cluster's view changed. */
  topology: ClientView;
  /** A node cannot be reached; calls for its keys fail with UNAVAILABLE until `recovered`. */
  degraded: { readonly node: string; readonly error: LarderError };
  recovered: { readonly node: string };
}

type Listener<Event extends keyof LarderEvents> = (event: LarderEvents[Event]) => void;

const DRAIN_PERIOD_MS = 10;

/** A client of one cluster. Made by `connect`. */
export class Larder implements AsyncDisposable {
  readonly #dispatcher: Dispatcher;
  readonly #handles = new Map<string, number>();
  readonly #listeners: { [Event in keyof LarderEvents]: Set<Listener<Event>> } = {
    topology: new Set(),
    degraded: new Set(),
    recovered: new Set(),
  };
  #closing = false;

  constructor(
    view: ClientView,
    readonly options: ResolvedConnectOptions,
  ) {
    this.#dispatcher = new Dispatcher(view, options, {
      viewChanged: (changed) => this.#emit('topology', changed),
      connectionLost: (node, error) => this.#emit('degraded', { node, error }),
      connectionReady: (node) => this.#emit('recovered', { node }),
    });
  }

  /**
   * A cache of the cluster by the name that the nodes' config gives it. No I/O: a name that no node knows shows as
   * UNKNOWN_CACHE at the first call. Throws BAD_ARGUMENT for a name of 0 or over 128 characters.
   */
  cache<V = unknown>(name: string, options: CacheOptions<V> = {}): Cache<V> {
    if (typeof name !== 'string' || name.length === 0 || name.length > CACHE_NAME_LENGTH_MAX) {
      throw new LarderError('BAD_ARGUMENT', `cache name is ${JSON.stringify(name)}; allowed are 1 to 128 characters`);
    }
    const handle = this.#handles.get(name) ?? this.#handles.size;
    this.#handles.set(name, handle);
    return new Cache({ handle, name }, this.#dispatcher, options.codec ?? (this.options.codec as Codec<V>), options);
  }

  /** The view by which calls are routed now. */
  topology(): ClientView {
    return this.#dispatcher.router.view;
  }

  /** Counters of every node since its start. Rejects with the first node's error if one cannot be asked. */
  nodeStatistics(options: Pick<CallOptions, 'timeout'> = {}): Promise<NodeStatistics[]> {
    const waitMs = timeoutMs('timeout', options.timeout, this.options.timeoutMs);
    const connections = this.#dispatcher.router.connections;
    return Promise.all(connections.map((connection) => connection.fetchStatistics<NodeStatistics>(waitMs)));
  }

  /** Calls the listener at each such event until the returned function is called. A listener that throws is ignored. */
  on<Event extends keyof LarderEvents>(event: Event, listener: Listener<Event>): () => void {
    const listeners = this.#listeners[event] as Set<Listener<Event>>;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Waits until the calls in flight are settled, at most `drain` (default 5 s), then ends the connections. */
  async close(options: { readonly drain?: Duration } = {}): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const { clock } = this.options;
    const deadlineMs = clock.monotonicMs() + durationMs('drain', options.drain ?? 5_000);
    while (this.#dispatcher.inFlight > 0 && clock.monotonicMs() < deadlineMs) {
      await new Promise<void>((resolve) => clock.after(DRAIN_PERIOD_MS, resolve));
    }
    this.#dispatcher.close();
  }

  /** Ends the connections at once; calls in flight fail with CLOSED. */
  destroy(): void {
    this.#closing = true;
    this.#dispatcher.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #emit<Event extends keyof LarderEvents>(event: Event, detail: LarderEvents[Event]): void {
    for (const listener of this.#listeners[event] as Set<Listener<Event>>) {
      try {
        listener(detail);
      } catch {
        // A fault in a listener is no fault of the call during which it was told.
      }
    }
  }
}
