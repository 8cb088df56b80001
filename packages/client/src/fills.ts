import { LarderError } from '@larder/proto';
import type { Cache } from './cache.js';
import type { SetOptions } from './cache-options.js';
import { type Key, keyText } from './keys.js';
import type { ResolvedConnectOptions } from './options.js';

export interface LoadContext<V> {
  readonly key: string;
  /** Aborted when the caller that started the load gives up. */
  readonly signal: AbortSignal;
  /** Hands the value to the callers without storing it. */
  skip(value: V): V;
}

export type LoadOptions = SetOptions;

/** Loads under way at the same time. At the bound: BUSY. */
const FILLS_MAX = 65_536;

/** Cache-aside: what `getOrSet` of one cache has under way, so that callers of one key share one load. */
export class Fills<V> {
  readonly #loading = new Map<string, Promise<V>>();

  constructor(
    private readonly cache: Cache<V>,
    readonly options: ResolvedConnectOptions,
  ) {}

  async getOrSet(key: Key, load: (context: LoadContext<V>) => V | Promise<V>, options: LoadOptions = {}): Promise<V> {
    const text = keyText(key);
    const value = await this.cache.get(text, options);
    if (value !== undefined) return value;
    const other = this.#loading.get(text);
    if (other) return other;
    if (this.#loading.size >= FILLS_MAX) {
      throw new LarderError('BUSY', `more than ${FILLS_MAX} loads of cache ${this.cache.name} are under way`);
    }
    const loading = this.#fill(text, load, options).finally(() => this.#loading.delete(text));
    this.#loading.set(text, loading);
    return loading;
  }

  async #fill(key: string, load: (context: LoadContext<V>) => V | Promise<V>, options: LoadOptions): Promise<V> {
    let skipped = false;
    const context: LoadContext<V> = {
      key,
      signal: options.signal ?? new AbortController().signal,
      skip: (value) => {
        skipped = true;
        return value;
      },
    };
    let value: V;
    try {
      value = await load(context);
    } catch (error) {
      throw new LarderError('LOADER', `the load of key ${JSON.stringify(key)} failed: ${String(error)}`, {
        cause: error,
      });
    }
    if (!skipped) await this.cache.set(key, value, options).catch(ignoreUnlessArgument);
    return value;
  }
}

/** The value was loaded and is good, stored or not; only a mistake of the caller's must not go unseen. */
function ignoreUnlessArgument(error: LarderError): void {
  if (error.code === 'BAD_ARGUMENT' || error.code === 'CODEC' || error.code === 'TOO_LARGE') throw error;
}
