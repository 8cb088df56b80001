import type { Duration } from '@larder/base';
import { CACHE_COUNT_MAX, CACHE_NAME_LENGTH_MAX, type ClientView, LarderError } from '@larder/proto';
import { wireAck } from './acknowledgement.js';
import { Cache } from './cache.js';
import { type CacheOptions, type CallOptions, wireTtl } from './cache-options.js';
import { type Codec, checkedCodec } from './codecs/codec.js';
import { Dispatcher } from './dispatcher.js';
import { Fills } from './fills.js';
import { Listeners } from './listeners.js';
import type { NodeStatistics } from './node-statistics.js';
import { checkNames, durationMs, type ResolvedConnectOptions, timeoutMs } from './options.js';
import { shownValue } from './shown-value.js';

export interface LarderEvents {
  /** The cluster's view changed. */
  topology: ClientView;
  /** A node cannot be reached. Calls of its keys wait for it, or for another owner, until their deadline. */
  degraded: { readonly node: string; readonly error: LarderError };
  recovered: { readonly node: string };
}

/** How often `close` looks whether all calls are settled. */
const DRAIN_PERIOD_MS = 10;
const DRAIN_MS_DEFAULT = 5_000;
const CACHE_OPTIONS = ['codec', 'ttl', 'ack'];

/** A cache's name as this client knows it. */
interface NamedCache {
  readonly handle: number;
  readonly name: string;
  /** Loads under way; shared by all `Cache` objects that read values in the same way. */
  readonly fills: WeakMap<Codec<unknown>, Fills<unknown>>;
}

/** A client of one cluster. Made by `connect`. */
export class Larder implements AsyncDisposable {
  readonly #options: ResolvedConnectOptions;
  readonly #dispatcher: Dispatcher;
  readonly #caches = new Map<string, NamedCache>();
  readonly #listeners = new Listeners<LarderEvents>(['topology', 'degraded', 'recovered']);
  #closing: Promise<void> | undefined;

  constructor(view: ClientView, options: ResolvedConnectOptions) {
    this.#options = options;
    this.#dispatcher = new Dispatcher(view, options, {
      viewChanged: (changed) => this.#listeners.emit('topology', changed),
      connectionLost: (node, error) => this.#listeners.emit('degraded', { node, error }),
      connectionReady: (node) => this.#listeners.emit('recovered', { node }),
    });
  }

  /**
   * A cache of the cluster by the name that the nodes' config gives it. No I/O: a name that no node knows shows as
   * UNKNOWN_CACHE at the first call. Throws BAD_ARGUMENT for wrong options, for a name of 0 or over 128 characters, and
   * for more than 4,096 names.
   */
  cache<V = unknown>(name: string, options: CacheOptions<V> = {}): Cache<V> {
    checkNames('cache', options, CACHE_OPTIONS);
    const named = this.#named(name);
    const codec = checkedCodec(options.codec ?? (this.#options.codec as Codec<V>));
    const ttlMs = wireTtl(options.ttl);
    const ack = wireAck(options.ack, this.#options.ack);
    return new Cache({ handle: named, dispatcher: this.#dispatcher, codec, ttlMs, ack, fills: fillsOf(named, codec) });
  }

  /** The view by which calls are routed now: its version, the nodes, and who of them owns each partition. */
  topology(): ClientView {
    return this.#dispatcher.router.view;
  }

  /** Counters of every node since its start. Rejects with the first node's error if one cannot be asked. */
  async nodeStatistics(options: Pick<CallOptions, 'timeout'> = {}): Promise<NodeStatistics[]> {
    const waitMs = timeoutMs('timeout', options.timeout, this.#options.timeoutMs);
    const { connections } = this.#dispatcher.router;
    return Promise.all(connections.map((connection) => connection.ask<NodeStatistics>('GetStatistics', {}, waitMs)));
  }

  /**
   * Calls the listener at each such event until the returned function is called. What a listener throws becomes a
   * warning of the process: it is no fault of the call during which it was told. Throws BAD_ARGUMENT for other events.
   */
  on<Event extends keyof LarderEvents>(event: Event, listener: (detail: LarderEvents[Event]) => void): () => void {
    return this.#listeners.add(event, listener);
  }

  /**
   * Takes no more calls (CLOSED), waits until those in flight are settled, at most `drain` (default 5 s), then ends the
   * connections; what is still in flight then fails with CLOSED. Called again it waits for the same. Rejects with
   * BAD_ARGUMENT for a malformed duration.
   */
  async close(options: { readonly drain?: Duration } = {}): Promise<void> {
    const drainMs = durationMs('drain', options.drain ?? DRAIN_MS_DEFAULT);
    this.#closing ??= this.#drain(drainMs);
    return this.#closing;
  }

  /** Ends the connections at once; calls in flight fail with CLOSED. */
  destroy(): void {
    this.#dispatcher.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(drainMs: number): Promise<void> {
    this.#dispatcher.drain();
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + drainMs;
    while (this.#dispatcher.unsettled > 0) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) break;
      await new Promise<void>((resolve) => clock.after(Math.min(leftMs, DRAIN_PERIOD_MS), resolve).hold());
    }
    this.#dispatcher.close();
  }

  #named(name: string): NamedCache {
    const known = this.#caches.get(name);
    if (known) return known;
    if (typeof name !== 'string' || name.length === 0 || name.length > CACHE_NAME_LENGTH_MAX) {
      throw badArgument(`cache name is ${shownValue(name)}; allowed are 1 to ${CACHE_NAME_LENGTH_MAX} characters`);
    }
    const handle = this.#caches.size;
    if (handle >= CACHE_COUNT_MAX) throw badArgument(`cache ${shownValue(name)} is one more than ${CACHE_COUNT_MAX}`);
    const named = { handle, name, fills: new WeakMap<Codec<unknown>, Fills<unknown>>() };
    this.#caches.set(name, named);
    return named;
  }
}

function fillsOf<V>(cache: NamedCache, codec: Codec<V>): Fills<V> {
  const shared = cache.fills as WeakMap<Codec<V>, Fills<V>>;
  const known = shared.get(codec);
  if (known) return known;
  const fills = new Fills<V>();
  shared.set(codec, fills);
  return fills;
}

function badArgument(message: string): LarderError {
  return new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}
