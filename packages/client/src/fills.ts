import { LarderError } from '@larder/proto';
import { unlessAborted } from './abortable.js';
import { type SetOptions, wireTimeout } from './cache-options.js';
import { shownValue } from './shown-value.js';
import { checkedTags } from './tags.js';

export interface LoadContext<V> {
  readonly key: string;
  /** Aborted when nobody waits for the load any more. */
  readonly signal: AbortSignal;
  /** Hands the value to the callers without storing it: `return context.skip(value)`. */
  skip(value: V): V;
  /** Gives the value these tags, besides those of the options. BAD_ARGUMENT if that makes more than 32, or if one is no tag. */
  tag(...tags: string[]): void;
}

/** `timeout` is for each step with the cluster, the get and the set; how long `load` takes is its own affair. */
export interface LoadOptions extends SetOptions {
  /**
   * What happens when the cluster does not tell whether it has the value (UNAVAILABLE, TIMEOUT): `load`, the default, gives
   * what `load` returns without storing it; `fail` passes the error on.
   */
  readonly whileAway?: 'load' | 'fail';
}

export type Load<V> = (context: LoadContext<V>) => V | Promise<V>;

/** Loads under way at the same time. At the bound: BUSY. */
const FILLS_MAX = 65_536;

/** Where a loaded value goes. */
export interface FillTarget<V> {
  /** The lease under which it is loaded; 0: none; undefined: any that this process has. */
  readonly lease: number | undefined;
  store(value: V, tags: readonly string[]): Promise<unknown>;
  /** There is nothing to store, or it could not be stored: others need not wait for it. Must not throw. */
  release(): void;
}

interface Fill<V> {
  readonly lease: number | undefined;
  readonly target: FillTarget<V>;
  readonly value: Promise<V>;
  readonly controller: AbortController;
  waiters: number;
  isDone: boolean;
}

/**
 * Cache-aside: the loads that `getOrSet` of one cache has under way in this process. Callers who were told the same lease share
 * one; who gets another one comes after a write of the key, and begins a load of its own. A caller whose signal is aborted leaves;
 * the load itself is aborted when the last one has left.
 */
export class Fills<V> {
  readonly #fills = new Map<string, Fill<V>>();

  #underWay = 0;

  /** The value of the load of this key, which `load` and `target` make if there is none. */
  async join(key: string, load: Load<V>, target: FillTarget<V>, signal: AbortSignal | undefined): Promise<V> {
    const current = this.#fills.get(key);
    const isSame = current !== undefined && (target.lease === undefined || target.lease === current.lease);
    const fill = isSame ? current : this.#start(key, load, target);
    fill.waiters++;
    try {
      return await unlessAborted(fill.value, signal, 'the call');
    } finally {
      if (--fill.waiters === 0) this.#abandon(key, fill);
    }
  }

  isLoading(key: string, lease: number): boolean {
    return this.#fills.get(key)?.lease === lease;
  }

  #start(key: string, load: Load<V>, target: FillTarget<V>): Fill<V> {
    if (this.#underWay >= FILLS_MAX) {
      target.release();
      throw new LarderError('BUSY', `more than ${FILLS_MAX} loads of this cache are under way`);
    }
    this.#underWay++;
    const controller = new AbortController();
    const value = this.#run(key, load, target, controller.signal).finally(() => {
      this.#underWay--;
      fill.isDone = true;
    });
    const fill: Fill<V> = { lease: target.lease, target, value, controller, waiters: 0, isDone: false };
    this.#fills.set(key, fill);
    return fill;
  }

  /** Nobody waits, because it is done or because all have left: then who comes next starts anew. */
  #abandon(key: string, fill: Fill<V>): void {
    fill.controller.abort();
    if (!fill.isDone) fill.target.release();
    if (this.#fills.get(key) === fill) this.#fills.delete(key);
    // With all callers gone a failure is nobody's any more.
    fill.value.catch(() => {});
  }

  async #run(key: string, load: Load<V>, target: FillTarget<V>, signal: AbortSignal): Promise<V> {
    let isKept = false;
    try {
      const tags: string[] = [];
      const { value, isStored } = await this.#load(key, load, signal, tags);
      if (isStored) isKept = await target.store(value, tags).then(() => true, ignoreUnlessMistake);
      return value;
    } finally {
      if (!isKept) target.release();
    }
  }

  async #load(
    key: string,
    load: Load<V>,
    signal: AbortSignal,
    tags: string[],
  ): Promise<{ value: V; isStored: boolean }> {
    let isStored = true;
    const skip = (value: V): V => {
      isStored = false;
      return value;
    };
    let value: V;
    try {
      value = await load({ key, signal, skip, tag: (...given) => void tags.push(...checkedTags(given)) });
    } catch (error) {
      throw new LarderError('LOADER', `the load of key ${shownValue(key)} failed: ${String(error)}`, { cause: error });
    }
    if (value === undefined) {
      throw new LarderError(
        'LOADER',
        `the load of key ${shownValue(key)} returned undefined; null says that there is none`,
      );
    }
    return { value, isStored };
  }
}

/** Throws BAD_ARGUMENT; also when there is a hit, or the mistake would show only now and then. */
export function checkLoad(load: unknown): void {
  if (typeof load === 'function') return;
  throw new LarderError('BAD_ARGUMENT', `load is ${shownValue(load)}; allowed is a function`);
}

/** Whether `load` is to be called although the cluster did not say whether it has the value. */
export function isLoadedWhileAway(error: unknown, { whileAway = 'load' }: LoadOptions): boolean {
  if (whileAway === 'fail' || !(error instanceof LarderError) || error.details?.final === true) return false;
  return error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT';
}

/** Throws BAD_ARGUMENT. */
export function checkLoadOptions(options: LoadOptions): void {
  wireTimeout(options);
  if (options.tags !== undefined) checkedTags(options.tags);
  const { whileAway } = options;
  if (whileAway === undefined || whileAway === 'load' || whileAway === 'fail') return;
  const message = `whileAway is ${shownValue(whileAway)}; allowed are 'load' and 'fail'`;
  throw new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}

/** The value was loaded and is good, stored or not; only a mistake of the caller's must not go unseen. */
function ignoreUnlessMistake(error: unknown): false {
  if (!(error instanceof LarderError)) throw error;
  if (error.code === 'BAD_ARGUMENT' || error.code === 'CODEC' || error.code === 'TOO_LARGE') throw error;
  if (error.code === 'READ_ONLY') throw error;
  return false;
}
