import type { Duration } from '@larder/base';
import { type OperationExtras, OperationKind, TTL_DEFAULT } from '@larder/proto';
import { wireAck } from './acknowledgement.js';
import {
  type Entry,
  EntryAnswer,
  foundAnswer,
  Lease,
  LeaseAnswer,
  ttlAnswer,
  ValueAnswer,
  type Written,
  writtenAnswer,
} from './answers.js';
import { settleAll } from './batch-error.js';
import { distinctTexts, valuesByText } from './bulk-arguments.js';
import {
  type CallOptions,
  type DeleteOptions,
  type ReadOptions,
  requiredWireTtl,
  type SetOptions,
  type WriteOptions,
  wireRead,
  wireTimeout,
  wireTtl,
} from './cache-options.js';
import { type Codec, encodeValue } from './codecs/codec.js';
import type { AnswerReader, CacheHandle } from './connection/call.js';
import type { Dispatcher } from './dispatcher.js';
import { type Explanation, explain } from './explanation.js';
import {
  checkLoad,
  checkLoadOptions,
  type Fills,
  type FillTarget,
  isLoadedWhileAway,
  type Load,
  type LoadOptions,
} from './fills.js';
import { invalidateEverywhere } from './invalidation.js';
import { type Key, keyText } from './keys.js';
import { checkedTags, invalidatedTags } from './tags.js';
import { wireWrite } from './write-strategy.js';

/** What a cache is made of. */
export interface CacheParts<V> {
  readonly handle: CacheHandle;
  readonly dispatcher: Dispatcher;
  readonly codec: Codec<V>;
  /** As it travels; of `set` without one. */
  readonly ttlMs: number;
  /** As it travels; of writes without one. */
  readonly ack: number;
  readonly fills: Fills<V>;
}

const WITH_LEASE: OperationExtras = { lease: true };

/**
 * One cache of the cluster, typed. Every method rejects with a LarderError: BAD_ARGUMENT, UNKNOWN_CACHE, NOT_OWNER, TIMEOUT,
 * ABORTED, UNAVAILABLE, BUSY, CLOSED and INCOMPATIBLE may meet any of them, those that give values also CODEC, ORIGIN and
 * ORIGIN_UNAVAILABLE, and writes also CODEC, TOO_LARGE, OUT_OF_MEMORY and, where the cache has a database behind it,
 * ORIGIN, ORIGIN_UNAVAILABLE and READ_ONLY. Nothing is ever thrown synchronously.
 */
export class Cache<V> {
  readonly #parts: CacheParts<V>;
  readonly #valueAnswer: ValueAnswer<V>;
  readonly #entryAnswer: EntryAnswer<V>;
  readonly #leaseAnswer: LeaseAnswer<V>;

  /** Made by `larder.cache()`. */
  constructor(parts: CacheParts<V>) {
    this.#parts = parts;
    this.#valueAnswer = new ValueAnswer(parts.codec);
    this.#entryAnswer = new EntryAnswer(parts.codec);
    this.#leaseAnswer = new LeaseAnswer(parts.codec, (text, lease) => setImmediate(() => this.#giveBack(text, lease)));
  }

  get name(): string {
    return this.#parts.handle.name;
  }

  /** The value, or undefined for a miss. A read-through cache loads a miss from the database first. */
  get(key: Key, options?: ReadOptions): Promise<V | undefined> {
    return this.#read(OperationKind.get, key, options, this.#valueAnswer);
  }

  /** The value with its version, remaining life and owner. */
  entry(key: Key, options?: ReadOptions): Promise<Entry<V> | undefined> {
    return this.#read(OperationKind.entry, key, options, this.#entryAnswer);
  }

  /** Whether the key is in the cache now. Never loads, and does not count as a use. */
  async has(key: Key, options?: CallOptions): Promise<boolean> {
    return (await this.ttl(key, options)) !== undefined;
  }

  /** Values by key text (see `keyText`); misses are absent. Rejects with BATCH if a key failed. */
  async getMany(keys: Iterable<Key>, options?: ReadOptions): Promise<Map<string, V>> {
    const texts = distinctTexts(keys);
    const values = await settleAll(
      texts,
      texts.map((text) => this.get(text, options)),
    );
    const found = new Map<string, V>();
    texts.forEach((text, index) => {
      const value = values[index];
      if (value !== undefined) found.set(text, value);
    });
    return found;
  }

  /** Stores the value as the cache's write strategy says: once it resolves, that strategy's promise is kept. */
  set(key: Key, value: V, options?: SetOptions): Promise<Written> {
    return this.#set(key, value, options, undefined);
  }

  #set(key: Key, value: V, options: SetOptions | undefined, extras: OperationExtras | undefined): Promise<Written> {
    let bytes: Uint8Array;
    let ttlMs: number;
    let all = extras;
    try {
      bytes = encodeValue(this.#parts.codec, value);
      ttlMs = options?.ttl === undefined ? this.#parts.ttlMs : wireTtl(options.ttl);
      if (options?.tags !== undefined) all = { ...extras, tags: checkedTags(options.tags) };
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#runWrite(OperationKind.set, key, bytes, ttlMs, options, writtenAnswer, all);
  }

  /**
   * Each key on its own: rejects with BATCH, which holds every key's outcome, if any failed. Of equal keys the last
   * counts. What was written by key text (see `keyText`).
   */
  async setMany(items: Iterable<readonly [Key, V]>, options?: SetOptions): Promise<Map<string, Written>> {
    const values = valuesByText(items);
    const texts = [...values.keys()];
    const written = await settleAll(
      texts,
      [...values].map(([text, value]) => this.set(text, value, options)),
    );
    return new Map(texts.map((text, index) => [text, written[index] as Written]));
  }

  /** Whether there was an entry. With a database behind the cache the row goes too. */
  delete(key: Key, options?: DeleteOptions): Promise<boolean> {
    return this.#runWrite(OperationKind.delete, key, undefined, TTL_DEFAULT, options, foundAnswer);
  }

  /**
   * Each key on its own: how many of them had an entry. Rejects with BATCH, which holds every key's outcome, if a key failed.
   * The way to forget a few entries that are known to be related; tags are for those that are not.
   */
  async deleteMany(keys: Iterable<Key>, options?: DeleteOptions): Promise<number> {
    const texts = distinctTexts(keys);
    const found = await settleAll(
      texts,
      texts.map((text) => this.delete(text, options)),
    );
    return found.filter(Boolean).length;
  }

  /**
   * The value, or on a miss what `load` returns, stored first. Of all callers in the cluster one loads, and the others wait for
   * it, up to their timeout; a value whose key was written, deleted or invalidated since its load began is not stored. Rejects
   * with LOADER, the thrown error as its cause, if `load` throws or returns undefined: then the next caller loads. A failure to
   * store does not hide the value that was loaded. While the cluster is away the value is loaded all the same, and not stored:
   * see `whileAway`. A read-through cache loads from its database first; what that does not have callers of one process load
   * together, and it is set like any other value.
   */
  async getOrSet(key: Key, load: Load<V>, options: LoadOptions = {}): Promise<V> {
    checkLoad(load);
    checkLoadOptions(options);
    const text = keyText(key);
    const { fills } = this.#parts;
    const { signal, ...shared } = options;
    let found: V | Lease | undefined;
    try {
      found = await this.#run(OperationKind.get, text, undefined, TTL_DEFAULT, options, this.#leaseAnswer, WITH_LEASE);
    } catch (error) {
      if (!isLoadedWhileAway(error, options)) throw error;
      return fills.join(text, load, NOT_STORED, signal);
    }
    const lease = found instanceof Lease ? found.number : undefined;
    if (found !== undefined && lease === undefined) return found as V;
    return fills.join(text, load, this.#fillTarget(text, lease, shared), signal);
  }

  /** Others wait for what nobody here will load, unless another caller here was told the same lease, and is loading by now. */
  #giveBack(text: string, lease: number): void {
    if (!this.#parts.fills.isLoading(text, lease)) this.#fillTarget(text, lease, {}).release();
  }

  /** `lease` undefined: the cache grants none. 0: there is none any more. */
  #fillTarget(text: string, lease: number | undefined, options: SetOptions): FillTarget<V> {
    if (lease === 0) return NOT_STORED;
    const store = (value: V, tags: readonly string[], extras?: OperationExtras): Promise<Written> => {
      const all = tags.length === 0 ? options : { ...options, tags: [...(options.tags ?? []), ...tags] };
      return this.#set(text, value, all, extras);
    };
    if (lease === undefined) return { lease: 0, store, release() {} };
    const extras = { fill: lease };
    return {
      lease,
      store: (value, tags) => store(value, tags, extras),
      release: () => {
        this.#run(OperationKind.release, text, undefined, TTL_DEFAULT, undefined, foundAnswer, extras).catch(() => {});
      },
    };
  }

  /**
   * What the key's owner knows of it, whether or not it is there. Neither counts as a use nor loads. For people who look
   * into something, not for programs at work: it is a unary call.
   */
  explain(key: Key, options?: Pick<CallOptions, 'timeout'>): Promise<Explanation> {
    return explain(this.#parts.dispatcher, this.name, key, options);
  }

  /**
   * Forgets all entries of the cache that have one of the tags, up to 32, on all nodes, and sees to it that no load that has begun
   * brings one of them back. Resolves when all owners have done it and their copies know. What the database does not have
   * yet (write-behind) stays. In how many of the 1,024 partitions there may have been such an entry: 0 means that there was none,
   * but more than 0 not that there was one. May be done twice if a node fails meanwhile. An error's outcome is `unknown`
   * if it may have been done somewhere.
   */
  async invalidateTags(tags: string | readonly string[], options?: WriteOptions): Promise<number> {
    return this.#invalidate(invalidatedTags(tags), options);
  }

  /** The same for all entries of the cache, at the same cost however many there are. */
  async clear(options?: WriteOptions): Promise<void> {
    await this.#invalidate(undefined, options);
  }

  #invalidate(tags: readonly string[] | undefined, options: WriteOptions | undefined): Promise<number> {
    const { dispatcher, handle } = this.#parts;
    const { timeoutMs: timeoutMsDefault, clock, random } = dispatcher.options;
    const timeoutMs = wireTimeout(options) || timeoutMsDefault;
    const ack = wireAck(options?.ack, this.#parts.ack);
    return invalidateEverywhere(dispatcher, handle, { tags, timeoutMs, ack, signal: options?.signal, clock, random });
  }

  /** Milliseconds left, null if it never expires, undefined if there is no entry. Never loads. */
  ttl(key: Key, options?: CallOptions): Promise<number | null | undefined> {
    return this.#run(OperationKind.peek, key, undefined, TTL_DEFAULT, options, ttlAnswer);
  }

  /** Gives an entry another remaining life; null: never expires. False if there is no entry. */
  expire(key: Key, ttl: Duration | null, options?: WriteOptions): Promise<boolean> {
    let ttlMs: number;
    try {
      ttlMs = requiredWireTtl(ttl);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#run(OperationKind.expire, key, undefined, ttlMs, options, foundAnswer);
  }

  #runWrite<T>(
    kind: number,
    key: Key,
    value: Uint8Array | undefined,
    ttlMs: number,
    options: DeleteOptions | undefined,
    answer: AnswerReader<T>,
    extras?: OperationExtras,
  ): Promise<T> {
    let write: OperationExtras | undefined;
    try {
      write = wireWrite(options?.write);
    } catch (error) {
      return Promise.reject(error);
    }
    const all = write !== undefined && extras !== undefined ? { ...extras, ...write } : (write ?? extras);
    return this.#run(kind, key, value, ttlMs, options, answer, all);
  }

  #read<T>(kind: number, key: Key, options: ReadOptions | undefined, answer: AnswerReader<T>): Promise<T> {
    if (options?.read === undefined) return this.#run(kind, key, undefined, TTL_DEFAULT, options, answer);
    let extras: OperationExtras | undefined;
    try {
      extras = wireRead(options);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#run(kind, key, undefined, TTL_DEFAULT, options, answer, extras);
  }

  #run<T>(
    kind: number,
    key: Key,
    value: Uint8Array | undefined,
    ttlMs: number,
    options: WriteOptions | undefined,
    answer: AnswerReader<T>,
    extras?: OperationExtras,
  ): Promise<T> {
    let text: string;
    let timeoutMs: number;
    let { ack } = this.#parts;
    try {
      text = keyText(key);
      timeoutMs = wireTimeout(options);
      if (options?.ack !== undefined) ack = wireAck(options.ack, ack);
    } catch (error) {
      return Promise.reject(error);
    }
    const { dispatcher, handle } = this.#parts;
    return dispatcher.call(handle, kind, text, value, ttlMs, timeoutMs, answer, ack, options?.signal, extras);
  }
}

/** While the cluster is away: what is loaded is the callers' only. */
const NOT_STORED: FillTarget<unknown> = { lease: undefined, store: async () => {}, release() {} };
