import { ManualClock, seededRandom } from '@larder/base';
import { EntryFlag, PutResult } from '@larder/loader';
import { type KeySlice, keySlice } from '@larder/proto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkStorage } from './check-storage.js';
import { createStorage } from './create-storage.js';
import { type EvictionPolicyName, RemovalCause } from './storage.js';
import type { StorageEngine } from './storage-engine.js';

const POLICIES: EvictionPolicyName[] = ['lru', 'fifo', 'adaptive', 'lfu', 'ttl', 'random'];
const MIB = 1024 * 1024;
const VALUE_BYTES_MAX = 100_000;
const KEYS = 61;
/** Entries of other keys that are there at first: with them a node of 1 MiB is nearly full. */
const FILL = 300;
const FILL_BYTES = 2500;
/** After this long, maintained every 4 s, nothing is left that has expired. */
const EXPIRY_MS_MAX = 12_000;

interface Model {
  value: string;
  expiresAtMs: number;
  flags: number;
  seq: number;
  partition: number;
}

const cacheNumber = fc.integer({ min: 0, max: 5 });
const keyNumber = fc.integer({ min: 0, max: KEYS - 1 });
const command = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      cache: cacheNumber,
      key: keyNumber,
      bytes: fc.oneof(
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 0, max: 40_000 }),
        fc.integer({ min: 40_000, max: VALUE_BYTES_MAX }),
        fc.constantFrom(VALUE_BYTES_MAX, VALUE_BYTES_MAX + 1),
      ),
      ttlMs: fc.constantFrom(0, 0, 5, 1000, 60_000),
      flags: fc.constantFrom(0, 0, 0, 0, EntryFlag.dirty, EntryFlag.negative, EntryFlag.unsure),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('find' as const, 'remove' as const, 'clean' as const),
      cache: cacheNumber,
      key: keyNumber,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('expire' as const),
      cache: cacheNumber,
      key: keyNumber,
      ttlMs: fc.constantFrom(0, 7, 2 ** 32),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('own' as const, 'disown' as const, 'disown' as const, 'drop' as const),
      key: keyNumber,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 4, 900, 5000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('maintain' as const, 'settle' as const) }) },
);
type Command = typeof command extends fc.Arbitrary<infer Step> ? Step : never;

/** A model that follows evictions through the callback, and knows everything else by itself. */
class Harness {
  readonly clock = new ManualClock();
  readonly model = new Map<string, Model>();
  readonly storage: StorageEngine;
  readonly #caches: number;
  readonly #lost = new Set<number>();
  #seq = 0;

  constructor(policies: readonly EvictionPolicyName[], memoryBytesMax: number, cacheBytesMax: number) {
    this.#caches = policies.length;
    const caches = policies.map((eviction, cache) => ({
      cache,
      memoryBytesMax: Math.floor((cacheBytesMax * (cache + 1)) / policies.length),
      eviction,
    }));
    const options = { memoryBytesMax, valueBytesMax: VALUE_BYTES_MAX, caches };
    const onRemoval = (cache: number, partition: number, ref: number, cause: RemovalCause) =>
      this.#removed(cache, partition, ref, cause);
    this.storage = createStorage(options, this.clock, seededRandom(1), onRemoval) as StorageEngine;
    for (let key = KEYS; key < KEYS + FILL; key++) this.#put(key % this.#caches, key, FILL_BYTES, 0, 0);
  }

  run(step: Command): void {
    const cache = 'cache' in step ? step.cache % this.#caches : 0;
    if (step.kind === 'put') this.#put(cache, step.key, step.bytes, step.ttlMs, step.flags);
    else if (step.kind === 'find') this.#compare(cache, step.key);
    else if (step.kind === 'remove') this.#remove(cache, step.key);
    else if (step.kind === 'clean') this.#clean(cache, step.key);
    else if (step.kind === 'expire') this.#expire(cache, step.key, step.ttlMs);
    else if (step.kind === 'own') this.#own(slice(step.key).partition, true);
    else if (step.kind === 'disown') this.#own(slice(step.key).partition, false);
    else if (step.kind === 'drop') this.#drop(slice(step.key).partition);
    else if (step.kind === 'advance') this.clock.advance(step.ms);
    else if (step.kind === 'maintain') this.#maintain();
    else this.#settle();
    this.#countEntries();
  }

  compareAll(): void {
    for (let cache = 0; cache < this.#caches; cache++) {
      for (let key = 0; key < KEYS; key++) this.#compare(cache, key);
    }
  }

  #put(cache: number, key: number, bytes: number, ttlMs: number, flags: number): void {
    const seq = ++this.#seq;
    const value = bytesOf(key, seq, bytes);
    const where = slice(key);
    const put = () => this.storage.put(cache, where, value, 0, bytes, 3, seq, ttlMs, flags);
    if (this.storage.isDropping(where.partition)) {
      expect(put).toThrow('dropped');
      return;
    }
    const result = put();
    if (bytes > VALUE_BYTES_MAX) expect(result).toBe(PutResult.tooLarge);
    if (result !== PutResult.stored) return;
    const { partition } = where;
    const expiresAtMs = this.#end(ttlMs);
    this.model.set(name(cache, key), { value: value.toString('latin1'), expiresAtMs, flags, seq, partition });
  }

  #remove(cache: number, key: number): void {
    const had = this.#live(cache, key) !== undefined;
    expect(this.storage.remove(cache, slice(key))).toBe(had);
    if (had) this.model.delete(name(cache, key));
  }

  #clean(cache: number, key: number): void {
    const entry = this.#live(cache, key);
    const ref = this.storage.peek(cache, slice(key));
    expect(ref !== 0).toBe(entry !== undefined);
    if (!entry) return;
    entry.flags &= ~EntryFlag.dirty;
    this.storage.setFlags(ref, entry.flags);
  }

  #expire(cache: number, key: number, ttlMs: number): void {
    const entry = this.#live(cache, key);
    expect(this.storage.expire(cache, slice(key), ttlMs)).toBe(entry !== undefined);
    if (entry) entry.expiresAtMs = this.#end(ttlMs);
  }

  #own(partition: number, owned: boolean): void {
    this.storage.setOwned(partition, owned);
    if (owned) this.#lost.delete(partition);
    else this.#lost.add(partition);
  }

  #drop(partition: number): void {
    this.storage.beginDrop(partition);
    for (const [id, entry] of this.model) if (entry.partition === partition) this.model.delete(id);
    expect(this.storage.entriesOfPartition(partition)).toBe(0);
  }

  #maintain(): void {
    while (this.storage.maintain(1));
    expect(this.storage.changes.isPending).toBe(false);
  }

  /** Time passes, with maintenance: what has expired is gone and told. */
  #settle(): void {
    for (let passedMs = 0; passedMs < EXPIRY_MS_MAX; passedMs += 4000) {
      this.clock.advance(4000);
      this.#maintain();
    }
    const nowMs = this.clock.monotonicMs();
    for (const entry of this.model.values()) {
      if (entry.expiresAtMs + EXPIRY_MS_MAX <= nowMs) expect(this.#mustStay(entry)).toBe(true);
    }
  }

  /** What the storage has beyond the model is being dropped. */
  #countEntries(): void {
    let entries = 0;
    for (let cache = 0; cache < this.#caches; cache++) entries += this.storage.statistics(cache).entries;
    if (this.storage.states.isAnyDropping) expect(entries).toBeGreaterThanOrEqual(this.model.size);
    else expect(entries).toBe(this.model.size);
  }

  #compare(cache: number, key: number): void {
    const ref = this.storage.find(cache, slice(key));
    const entry = this.#live(cache, key);
    expect(ref !== 0, `${cache}/${key} is there`).toBe(entry !== undefined);
    if (!entry) return;
    const value = Buffer.alloc(this.storage.valueBytes(ref));
    this.storage.copyValue(ref, 0, value.length, value, 0);
    expect(value.toString('latin1') === entry.value).toBe(true);
    const { storage } = this;
    expect([storage.seq(ref), storage.epoch(ref), storage.flags(ref)]).toEqual([entry.seq, 3, entry.flags]);
    const remaining = entry.expiresAtMs === Infinity ? -1 : Math.max(1, entry.expiresAtMs - this.clock.monotonicMs());
    expect(Math.abs(storage.remainingMs(ref) - remaining)).toBeLessThan(remaining > 2 ** 30 ? 1000 : 1);
  }

  #live(cache: number, key: number): Model | undefined {
    const entry = this.model.get(name(cache, key));
    if (!entry) return undefined;
    return entry.expiresAtMs > this.clock.monotonicMs() || this.#mustStay(entry) ? entry : undefined;
  }

  #mustStay({ flags, partition }: Model): boolean {
    return (flags & EntryFlag.dirty) !== 0 || this.#lost.has(partition);
  }

  #removed(cache: number, partition: number, ref: number, cause: RemovalCause): void {
    const key = Buffer.alloc(this.storage.keyBytes(ref));
    this.storage.copyKey(ref, key, 0);
    const id = `${cache}/${key.toString()}`;
    const entry = this.model.get(id)!;
    expect(entry, `${id} may leave`).toBeDefined();
    expect(entry.partition).toBe(partition);
    expect(this.#mustStay(entry)).toBe(false);
    if (cause === RemovalCause.expired) expect(entry.expiresAtMs).toBeLessThanOrEqual(this.clock.monotonicMs());
    this.model.delete(id);
  }

  #end(ttlMs: number): number {
    return ttlMs === 0 ? Infinity : this.clock.monotonicMs() + ttlMs;
  }
}

function bytesOf(key: number, seq: number, bytes: number): Buffer {
  const value = Buffer.alloc(bytes);
  for (let index = 0; index < bytes; index += 97) value[index] = key * 31 + seq * 7 + index;
  return value;
}

function slice(key: number): KeySlice {
  return keySlice(Buffer.from(keyText(key)));
}

/** A third of the keys shares a partition, another third another one. */
function keyText(key: number): string {
  return key % 3 === 2 ? `key-${key}-${'x'.repeat(key % KEYS)}` : `{tag-${key % 3}}${key}`;
}

function name(cache: number, key: number): string {
  return `${cache}/${keyText(key)}`;
}

function check(policies: readonly EvictionPolicyName[], numRuns: number, cacheBytesMax: number): void {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 150, size: 'max' }), (steps) => {
      const harness = new Harness(policies, MIB, cacheBytesMax);
      for (const step of steps) {
        harness.run(step);
        checkStorage(harness.storage);
      }
      harness.compareAll();
    }),
    { numRuns },
  );
}

test.each(POLICIES)(
  '%s: any sequence of calls behaves as a map that forgets, and every account stays right',
  (policy) => check([policy, policy], 25, MIB),
);

test('so do caches of all policies together, which are promised more than the node has', () => {
  check(POLICIES, 30, MIB);
}, 60_000);
