import { ManualClock, seededRandom } from '@larder/base';
import { EntryFlag, PutResult } from '@larder/loader';
import { keySlice } from '@larder/proto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkStorage } from './check-storage.js';
import { createStorage } from './create-storage.js';
import type { EvictionPolicyName, RemovalCause } from './storage.js';
import type { StorageEngine } from './storage-engine.js';

const POLICIES: EvictionPolicyName[] = ['lru', 'fifo', 'adaptive', 'lfu', 'ttl', 'random'];
const MIB = 1024 * 1024;

interface Model {
  value: string;
  expiresAtMs: number;
  flags: number;
  seq: number;
}

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      cache: fc.integer({ min: 0, max: 1 }),
      key: fc.integer({ min: 0, max: 60 }),
      bytes: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 40_000 }), fc.constant(120_000)),
      ttlMs: fc.constantFrom(0, 0, 5, 1000, 60_000),
      flags: fc.constantFrom(0, 0, 0, 0, EntryFlag.dirty, EntryFlag.negative),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('find' as const, 'remove' as const, 'clean' as const),
      cache: fc.integer({ min: 0, max: 1 }),
      key: fc.integer({ min: 0, max: 60 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('expire' as const),
      cache: fc.integer({ min: 0, max: 1 }),
      key: fc.integer({ min: 0, max: 60 }),
      ttlMs: fc.constantFrom(0, 7, 2 ** 32),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 4, 900, 5000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
);

function bytesOf(key: number, seq: number, bytes: number): Buffer {
  const value = Buffer.alloc(bytes);
  for (let index = 0; index < bytes; index += 97) value[index] = key * 31 + seq * 7 + index;
  return value;
}

type Command = typeof command extends fc.Arbitrary<infer Step> ? Step : never;

/** A model that follows evictions through the callback, and knows everything else by itself. */
class Harness {
  readonly clock = new ManualClock();
  readonly model = new Map<string, Model>();
  readonly storage: StorageEngine;
  #seq = 0;

  constructor(policy: EvictionPolicyName, memoryBytesMax: number) {
    const caches = [0, 1].map((cache) => ({
      cache,
      memoryBytesMax: Math.floor(memoryBytesMax * (0.5 + 0.5 * cache)),
      eviction: policy,
    }));
    const options = { memoryBytesMax, valueBytesMax: 100_000, caches };
    const onRemoval = (cache: number, _partition: number, ref: number, cause: RemovalCause) =>
      this.#removed(cache, ref, cause);
    this.storage = createStorage(options, this.clock, seededRandom(1), onRemoval) as StorageEngine;
  }

  run(step: Command): void {
    if (step.kind === 'put') this.#put(step.cache, step.key, step.bytes, step.ttlMs, step.flags);
    else if (step.kind === 'find') this.#compare(step.cache, step.key);
    else if (step.kind === 'remove') this.#remove(step.cache, step.key);
    else if (step.kind === 'clean') this.#clean(step.cache, step.key);
    else if (step.kind === 'expire') this.#expire(step.cache, step.key, step.ttlMs);
    else if (step.kind === 'advance') this.clock.advance(step.ms);
    else while (this.storage.maintain(1));
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

  compareAll(): void {
    for (const cache of [0, 1]) for (let key = 0; key <= 60; key++) this.#compare(cache, key);
  }

  #put(cache: number, key: number, bytes: number, ttlMs: number, flags: number): void {
    const seq = ++this.#seq;
    const value = bytesOf(key, seq, bytes);
    const result = this.storage.put(cache, slice(key), value, 0, bytes, 3, seq, ttlMs, flags);
    if (bytes > 100_000) expect(result).toBe(PutResult.tooLarge);
    if (result !== PutResult.stored) return;
    this.model.set(name(cache, key), { value: value.toString('latin1'), expiresAtMs: this.#end(ttlMs), flags, seq });
  }

  #compare(cache: number, key: number): void {
    const ref = this.storage.find(cache, slice(key));
    const entry = this.#live(cache, key);
    expect(ref !== 0, `${cache}/${key} is there`).toBe(entry !== undefined);
    if (!entry) return;
    const value = Buffer.alloc(this.storage.valueBytes(ref));
    this.storage.copyValue(ref, 0, value.length, value, 0);
    expect(value.toString('latin1') === entry.value).toBe(true);
    expect([this.storage.seq(ref), this.storage.epoch(ref), this.storage.flags(ref)]).toEqual([
      entry.seq,
      3,
      entry.flags,
    ]);
    const remaining = entry.expiresAtMs === Infinity ? -1 : Math.max(1, entry.expiresAtMs - this.clock.monotonicMs());
    expect(Math.abs(this.storage.remainingMs(ref) - remaining)).toBeLessThan(remaining > 2 ** 30 ? 1000 : 1);
  }

  #live(cache: number, key: number): Model | undefined {
    const entry = this.model.get(name(cache, key));
    if (!entry) return undefined;
    return entry.expiresAtMs > this.clock.monotonicMs() || entry.flags & EntryFlag.dirty ? entry : undefined;
  }

  #removed(cache: number, ref: number, cause: RemovalCause): void {
    const key = Buffer.alloc(this.storage.keyBytes(ref));
    this.storage.copyKey(ref, key, 0);
    const id = `${cache}/${key.toString()}`;
    const entry = this.model.get(id)!;
    expect(entry, `${id} may leave`).toBeDefined();
    expect(entry.flags & EntryFlag.dirty).toBe(0);
    if (cause === 2) expect(entry.expiresAtMs).toBeLessThanOrEqual(this.clock.monotonicMs());
    this.model.delete(id);
  }

  #end(ttlMs: number): number {
    return ttlMs === 0 ? Infinity : this.clock.monotonicMs() + ttlMs;
  }
}

function slice(key: number) {
  return keySlice(Buffer.from(keyText(key)));
}

/** Half of the keys share a partition. */
function keyText(key: number): string {
  return key % 2 === 0 ? `{tag}${key}` : `key-${key}-${'x'.repeat(key)}`;
}

function name(cache: number, key: number): string {
  return `${cache}/${keyText(key)}`;
}

test.each(POLICIES)(
  '%s: any sequence of calls behaves as a map that forgets, and every account stays right',
  (policy) => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 150, size: 'max' }), (steps) => {
        const harness = new Harness(policy, MIB);
        for (const step of steps) {
          harness.run(step);
          checkStorage(harness.storage);
        }
        harness.compareAll();
      }),
      { numRuns: 30 },
    );
  },
);
