import type { Duration } from '@larder/base';
import { LarderError, OperationKind, TTL_DEFAULT } from '@larder/proto';
import {
  type Entry,
  EntryAnswer,
  foundAnswer,
  ttlAnswer,
  ValueAnswer,
  type Written,
  writtenAnswer,
} from './answers.js';
import { settleAll } from './batch-error.js';
import { type CacheOptions, type CallOptions, type SetOptions, wireTimeout, wireTtl } from './cache-options.js';
import type { Codec } from './codecs/codec.js';
import type { CacheHandle } from './connection/call.js';
import type { Dispatcher } from './dispatcher.js';
import { Fills, type LoadContext, type LoadOptions } from './fills.js';
import { type Key, keyText } from './keys.js';

/**
 * One cache of the cluster, typed. Every method rejects with a LarderError: BAD_ARGUMENT, UNKNOWN_CACHE, TIMEOUT,
 * ABORTED, UNAVAILABLE, BUSY, CLOSED and CODEC may meet any of them, writes also TOO_LARGE, OUT_OF_MEMORY and, where the
 * cache has a database behind it, ORIGIN, ORIGIN_UNAVAILABLE and READ_ONLY.
 */
export class Cache<V> {
  readonly #handle: CacheHandle;
  readonly #dispatcher: Dispatcher;
  readonly #codec: Codec<V>;
  readonly #ttl: number;
  readonly #valueAnswer: ValueAnswer;
  readonly #entryAnswer: EntryAnswer;
  readonly #fills: Fills<V>;

  /** Made by `larder.cache()`. */
  constructor(handle: CacheHandle, dispatcher: Dispatcher, codec: Codec<V>, options: CacheOptions<V>) {
    this.#handle = handle;
    this.#dispatcher = dispatcher;
    this.#codec = codec;
    this.#ttl = wireTtl(options.ttl);
    this.#valueAnswer = new ValueAnswer(codec as Codec<unknown>);
    this.#entryAnswer = new EntryAnswer(codec as Codec<unknown>);
    this.#fills = new Fills(this, dispatcher.options);
  }

  get name(): string {
    return this.#handle.name;
  }

  /** The value, or undefined for a miss. A read-through cache loads a miss from the database first. */
  get(key: Key, options?: CallOptions): Promise<V | undefined> {
    return this.#run(OperationKind.get, key, undefined, TTL_DEFAULT, options, this.#valueAnswer) as Promise<
      V | undefined
    >;
  }

  /** The value with its version, remaining life and owner. */
  entry(key: Key, options?: CallOptions): Promise<Entry<V> | undefined> {
    return this.#run(OperationKind.entry, key, undefined, TTL_DEFAULT, options, this.#entryAnswer) as Promise<
      Entry<V> | undefined
    >;
  }

  /** Whether the key is in the cache now. Never loads, and does not count as a use. */
  async has(key: Key, options?: CallOptions): Promise<boolean> {
    return (await this.ttl(key, options)) !== undefined;
  }

  /** Values by key text; misses are absent. Rejects with BATCH if a key failed. */
  async getMany(keys: Iterable<Key>, options?: CallOptions): Promise<Map<string, V>> {
    const texts = [...new Set([...keys].map(keyText))];
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
    let bytes: Uint8Array;
    let ttl: number;
    try {
      bytes = this.#encode(value);
      ttl = options?.ttl === undefined ? this.#ttl : wireTtl(options.ttl);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#run(OperationKind.set, key, bytes, ttl, options, writtenAnswer) as Promise<Written>;
  }

  /** Each key on its own: rejects with BATCH, which holds every key's outcome, if any failed. Of equal keys the last counts. */
  async setMany(items: Iterable<readonly [Key, V]>, options?: SetOptions): Promise<Map<string, Written>> {
    const values = new Map<string, V>();
    for (const [key, value] of items) values.set(keyText(key), value);
    const texts = [...values.keys()];
    const written = await settleAll(
      texts,
      texts.map((text) => this.set(text, values.get(text) as V, options)),
    );
    return new Map(texts.map((text, index) => [text, written[index] as Written]));
  }

  /** Whether there was an entry. With a database behind the cache the row goes too. */
  delete(key: Key, options?: CallOptions): Promise<boolean> {
    return this.#run(OperationKind.delete, key, undefined, TTL_DEFAULT, options, foundAnswer) as Promise<boolean>;
  }

  /** How many of the keys had an entry. Rejects with BATCH if a key failed. */
  async deleteMany(keys: Iterable<Key>, options?: CallOptions): Promise<number> {
    const texts = [...new Set([...keys].map(keyText))];
    const found = await settleAll(
      texts,
      texts.map((text) => this.delete(text, options)),
    );
    return found.filter(Boolean).length;
  }

  /**
   * The value, or on a miss what `load` returns, stored first. Callers of this process that ask for the same key
   * meanwhile share one load. Rejects with LOADER, the thrown error as its cause, if `load` throws; a failure to store
   * does not hide the value that was loaded.
   */
  getOrSet(key: Key, load: (context: LoadContext<V>) => V | Promise<V>, options?: LoadOptions): Promise<V> {
    return this.#fills.getOrSet(key, load, options);
  }

  /** Milliseconds left, null if it never expires, undefined if there is no entry. Never loads. */
  ttl(key: Key, options?: CallOptions): Promise<number | null | undefined> {
    return this.#run(OperationKind.peek, key, undefined, TTL_DEFAULT, options, ttlAnswer) as Promise<
      number | null | undefined
    >;
  }

  /** Gives an entry another remaining life; null: never expires. False if there is no entry. */
  expire(key: Key, ttl: Duration | null, options?: CallOptions): Promise<boolean> {
    let ttlMs: number;
    try {
      ttlMs = wireTtl(ttl);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#run(OperationKind.expire, key, undefined, ttlMs, options, foundAnswer) as Promise<boolean>;
  }

  #run(
    kind: number,
    key: Key,
    value: Uint8Array | undefined,
    ttlMs: number,
    options: CallOptions | undefined,
    answer: ValueAnswer | typeof writtenAnswer,
  ): Promise<unknown> {
    let text: string;
    let timeoutMs: number;
    try {
      text = keyText(key);
      timeoutMs = wireTimeout(options);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#dispatcher.call(this.#handle, kind, text, value, ttlMs, timeoutMs, answer, options?.signal);
  }

  #encode(value: V): Uint8Array {
    if (value === undefined) {
      throw new LarderError('BAD_ARGUMENT', 'value is undefined, which means a miss; store null or delete the key', {
        outcome: 'not-applied',
      });
    }
    try {
      return this.#codec.encode(value);
    } catch (error) {
      if (error instanceof LarderError) throw error;
      throw new LarderError('CODEC', `the value cannot be encoded as ${this.#codec.name}: ${String(error)}`, {
        outcome: 'not-applied',
        cause: error,
      });
    }
  }
}
