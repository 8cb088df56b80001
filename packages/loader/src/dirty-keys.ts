import type { KeySlice, LarderError } from '@larder/proto';
import { DirtyKey } from './dirty-key.js';
import { DirtyList } from './dirty-list.js';

/**
 * The keys whose entries are not yet in the origin, and where each is on its way:
 *
 *            mark                 take                      origin has it
 *     (new) -------> queued ----------------> flying -----------------------> (forgotten)
 *                    ^  ^                     |  |  | origin refuses the row
 *                    |  '--- written again ---'  |  '----> refused --its time comes--> due --> flying
 *                    '----- origin is down ------'           | too often   ^
 *                                                            '--> dead ----' somebody asks for it
 *
 * A key whose partition is shut (fence-gate.ts) waits in `shut` instead of `queued`.
 *
 * Holds keys only: the values stay in memory, so that writes to one key coalesce.
 */
export class DirtyKeys {
  readonly #byText = new Map<string, DirtyKey>();
  readonly #queued = new DirtyList();
  readonly #refused = new DirtyList();
  readonly #due = new DirtyList();
  readonly #dead = new DirtyList();
  readonly #shut = new DirtyList();
  readonly #flying = new Set<readonly DirtyKey[]>();
  #bytes = 0;
  #order = 0;

  get size(): number {
    return this.#byText.size;
  }

  /** Of all keys and their values. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keys that become dirty from now on have this order or a higher one. */
  get nextOrder(): number {
    return this.#order;
  }

  get queuedCount(): number {
    return this.#queued.length;
  }

  get firstQueued(): DirtyKey | undefined {
    return this.#queued.first;
  }

  get firstDue(): DirtyKey | undefined {
    return this.#due.first;
  }

  /** Due and dead ones included. */
  get refusedCount(): number {
    return this.#refused.length + this.#due.length + this.#dead.length;
  }

  get deadCount(): number {
    return this.#dead.length;
  }

  get hasRefused(): boolean {
    return this.#refused.length > 0;
  }

  get(text: string): DirtyKey | undefined {
    return this.#byText.get(text);
  }

  /** Since when the oldest write waits that the origin has not refused; Infinity if none does. */
  get oldestAcceptedSinceMs(): number {
    let sinceMs = this.#queued.first?.sinceMs ?? Number.POSITIVE_INFINITY;
    if (this.#shut.first !== undefined) sinceMs = Math.min(sinceMs, this.#shut.first.sinceMs);
    for (const [first] of this.#flying) {
      if (first !== undefined && first.backoff === undefined) sinceMs = Math.min(sinceMs, first.sinceMs);
    }
    return sinceMs;
  }

  get oldestSinceMs(): number {
    let sinceMs = this.oldestAcceptedSinceMs;
    for (const dirty of this.refused()) sinceMs = Math.min(sinceMs, dirty.sinceMs);
    return sinceMs;
  }

  /** All that the origin has refused and that are not on their way to it: those given up first. */
  *refused(): Generator<DirtyKey> {
    for (const list of [this.#dead, this.#refused, this.#due]) {
      for (let dirty = list.first; dirty !== undefined; dirty = dirty.next) yield dirty;
    }
  }

  /** How many of the keys that were dirty before `order` was reached still are. Looks at all. */
  countBefore(order: number): number {
    let count = 0;
    for (const dirty of this.#byText.values()) if (dirty.order < order) count++;
    return count;
  }

  /** Whether one of them is not refused. Mostly the first says so: this is asked after every statement. */
  isAcceptedLeftBefore(order: number): boolean {
    for (const { order: at, state } of this.#byText.values()) {
      if (at < order && state !== 'refused' && state !== 'dead') return true;
    }
    return false;
  }

  /** The key has just been written. `known` is what `get` says. Returns whether that made an earlier write unnecessary. */
  mark(known: DirtyKey | undefined, text: string, key: KeySlice, valueBytes: number, nowMs: number): boolean {
    const dirty = known ?? new DirtyKey(text, key);
    this.#bytes += known === undefined ? dirty.keyBytes + valueBytes : valueBytes - dirty.valueBytes;
    dirty.valueBytes = valueBytes;
    if (known === undefined) {
      this.#byText.set(text, dirty);
      this.#enqueue(dirty, nowMs, this.#order++);
      return false;
    }
    if (dirty.state === 'flying' && dirty.againSinceMs < 0) {
      dirty.againSinceMs = nowMs;
      dirty.againOrder = this.#order++;
      return false;
    }
    this.#acceptNewValue(dirty, nowMs);
    return true;
  }

  /** Takes from the front of the queue: at most so many keys, and so many bytes unless it is only one. */
  takeQueued(countMax: number, bytesMax: number): DirtyKey[] {
    const batch: DirtyKey[] = [];
    let bytes = 0;
    for (let dirty = this.#queued.first; dirty !== undefined; dirty = this.#queued.first) {
      bytes += dirty.bytes;
      if (batch.length === countMax || (bytes > bytesMax && batch.length > 0)) break;
      this.#queued.remove(dirty);
      this.#takeOff(dirty);
      batch.push(dirty);
    }
    this.#flying.add(batch);
    return batch;
  }

  takeDue(dirty: DirtyKey): readonly DirtyKey[] {
    this.#due.remove(dirty);
    this.#takeOff(dirty);
    const batch = [dirty];
    this.#flying.add(batch);
    return batch;
  }

  /** Each of its keys has been forgotten, requeued, put back or refused. */
  landed(batch: readonly DirtyKey[]): void {
    this.#flying.delete(batch);
  }

  /** It is in the origin, or no longer ours. */
  forget(dirty: DirtyKey): void {
    this.#byText.delete(dirty.text);
    this.#bytes -= dirty.bytes;
  }

  /** It was written again while it flew. */
  requeue(dirty: DirtyKey): void {
    dirty.backoff = undefined;
    dirty.attempts = 0;
    if (dirty.againSinceMs >= 0) this.#enqueue(dirty, dirty.againSinceMs, dirty.againOrder);
    else this.#enqueue(dirty, dirty.sinceMs, dirty.order);
  }

  /** It could not be delivered. Its age goes on counting, so it goes first again. */
  putBack(dirty: DirtyKey): void {
    dirty.state = 'queued';
    this.#queued.pushFront(dirty);
  }

  /** `retryAtMs` Infinity: it is not tried again by itself. */
  refuse(dirty: DirtyKey, refusal: LarderError, retryAtMs: number): void {
    dirty.refusal = refusal;
    dirty.retryAtMs = retryAtMs;
    const isDead = retryAtMs === Number.POSITIVE_INFINITY;
    dirty.state = isDead ? 'dead' : 'refused';
    (isDead ? this.#dead : this.#refused).pushBack(dirty);
  }

  /** Its partition is shut. */
  setAside(dirty: DirtyKey): void {
    dirty.state = 'shut';
    this.#shut.pushBack(dirty);
  }

  /** What was set aside goes first again. Returns how many. */
  takeBackShut(): number {
    const shut: DirtyKey[] = [];
    for (let dirty = this.#shut.first; dirty !== undefined; dirty = this.#shut.first) {
      this.#shut.remove(dirty);
      shut.push(dirty);
    }
    const count = shut.length;
    for (let dirty = shut.pop(); dirty !== undefined; dirty = shut.pop()) this.putBack(dirty);
    return count;
  }

  /** Moves a queued key to the front. False: it is not queued. */
  hurry(dirty: DirtyKey): boolean {
    if (dirty.state !== 'queued') return false;
    this.#queued.remove(dirty);
    this.#queued.pushFront(dirty);
    return true;
  }

  /** Lets a refused key be tried now. */
  retry(dirty: DirtyKey): void {
    if (dirty.state === 'due') return;
    this.#listOfRefused(dirty).remove(dirty);
    dirty.state = 'due';
    this.#due.pushBack(dirty);
  }

  /** Forgets a refused key. */
  discard(dirty: DirtyKey): void {
    this.#listOfRefused(dirty).remove(dirty);
    this.forget(dirty);
  }

  /** Lets refused keys whose time has come be tried again. */
  makeDue(nowMs: number): void {
    for (let dirty = this.#refused.first; dirty !== undefined; ) {
      const { next } = dirty;
      if (dirty.retryAtMs <= nowMs) {
        this.#refused.remove(dirty);
        dirty.state = 'due';
        this.#due.pushBack(dirty);
      }
      dirty = next;
    }
  }

  #takeOff(dirty: DirtyKey): void {
    dirty.state = 'flying';
    dirty.againSinceMs = -1;
  }

  /** A refused row with a new value is like any other. */
  #acceptNewValue(dirty: DirtyKey, nowMs: number): void {
    if (!isRefused(dirty)) return;
    this.#listOfRefused(dirty).remove(dirty);
    dirty.backoff = undefined;
    dirty.attempts = 0;
    this.#enqueue(dirty, nowMs, this.#order++);
  }

  #enqueue(dirty: DirtyKey, sinceMs: number, order: number): void {
    dirty.sinceMs = sinceMs;
    dirty.order = order;
    dirty.state = 'queued';
    this.#queued.pushBack(dirty);
  }

  #listOfRefused({ state }: DirtyKey): DirtyList {
    if (state === 'due') return this.#due;
    return state === 'dead' ? this.#dead : this.#refused;
  }
}

/** Whether the origin has refused it, and it is not on its way there again. */
export function isRefused({ state }: DirtyKey): boolean {
  return state === 'refused' || state === 'due' || state === 'dead';
}
