import { ManualClock, seededRandom } from '@larder/base';
import { EntryFlag, hashesOfTexts, PutResult, tagHash, withTrailer } from '@larder/loader';
import { type KeySlice, keySlice } from '@larder/proto';
import { beforeEach, describe, expect, test } from 'vitest';
import { checkStorage } from '../check-storage.js';
import { createStorage } from '../create-storage.js';
import type { StorageEngine } from '../storage-engine.js';
import { TagFilter } from './tag-filter.js';

const MIB = 2 ** 20;

let clock: ManualClock;
let storage: StorageEngine;
let removals: number;
let seq: number;

beforeEach(() => {
  clock = new ManualClock();
  removals = 0;
  seq = 0;
  const caches = [0, 1].map((cache) => ({ cache, memoryBytesMax: 16 * MIB, eviction: 'adaptive' as const }));
  const options = { memoryBytesMax: 32 * MIB, valueBytesMax: MIB, caches };
  storage = createStorage(options, clock, seededRandom(1), () => removals++) as StorageEngine;
});

const slice = (name: string): KeySlice => keySlice(Buffer.from(name));
const PARTITION = slice('{p}').partition;
const hashOf = (tag: string): number => tagHash(Buffer.from(tag), 0, tag.length);

function put(key: string, text: string, tags: readonly string[] = [], flags = 0, ttlMs = 0, cache = 0): void {
  const value = Buffer.from(text);
  const bytes = tags.length === 0 ? value : withTrailer(value, 0, value.length, hashesOfTexts(tags));
  const all = tags.length === 0 ? flags : flags | EntryFlag.tagged;
  const key_ = slice(`{p}${key}`);
  expect(storage.put(cache, key_, bytes, 0, bytes.length, 1, ++seq, ttlMs, all)).toBe(PutResult.stored);
}

function text(key: string, cache = 0): string | undefined {
  const ref = storage.peek(cache, slice(`{p}${key}`));
  if (ref === 0) return undefined;
  const bytes = Buffer.alloc(storage.valueBytes(ref));
  storage.copyValue(ref, 0, bytes.length, bytes, 0);
  return bytes.toString();
}

const invalidate = (...tags: string[]): void => storage.invalidate(0, PARTITION, ++seq, hashesOfTexts(tags));
const clear = (cache = 0): void => storage.invalidate(cache, PARTITION, ++seq, undefined);

function sweep(): void {
  while (storage.maintain(1));
  clock.advance(4_000);
  for (let step = 0; step < 1_000; step++) storage.sweep(0.1);
}

describe('an entry with tags', () => {
  test.each([0, 1, 63, 5_000, 16 * 1024, 16 * 1024 - 7, 40_000])(
    'of %i bytes shows its value without them',
    (bytes) => {
      const value = 'v'.repeat(bytes);
      put('k', value, ['red', 'green', 'blue']);
      expect(text('k')).toBe(value);
      expect(storage.storedBytes(storage.peek(0, slice('{p}k')))).toBe(bytes + 19);
      invalidate('green');
      expect(text('k')).toBeUndefined();
      sweep();
      expect(storage.statistics(0).entries).toBe(0);
      checkStorage(storage);
    },
  );

  test('is as large as the storage allows values to be, whatever its tags take', () => {
    put('k', 'v'.repeat(MIB), ['red']);
    expect(text('k')).toHaveLength(MIB);
    const tooLarge = Buffer.alloc(MIB + 1);
    expect(storage.put(0, slice('{p}l'), tooLarge, 0, tooLarge.length, 1, 1, 0, 0)).toBe(PutResult.tooLarge);
  });
});

describe('an invalidated tag', () => {
  test('kills what had it before, and nothing else', () => {
    put('a', 'old', ['red', 'blue']);
    put('b', 'old', ['green']);
    put('c', 'old');
    put('d', 'old', ['red'], 0, 0, 1);
    invalidate('red');
    put('e', 'new', ['red']);
    expect([text('a'), text('b'), text('c'), text('d', 1), text('e')]).toEqual([undefined, 'old', 'old', 'old', 'new']);
    put('a', 'new', ['red']);
    expect(text('a')).toBe('new');
    expect(removals).toBe(0);
  });

  test('spares what is dirty', () => {
    put('a', 'dirty', ['red'], EntryFlag.dirty);
    invalidate('red');
    clear();
    sweep();
    expect(text('a')).toBe('dirty');
  });

  test('leaves entries alive when there are more invalidations than are remembered, unless they have tags', () => {
    put('plain', 'old');
    put('tagged', 'old', ['red']);
    for (let index = 0; index <= 4_096; index++) invalidate(`tag ${index}`);
    expect([text('plain'), text('tagged')]).toEqual(['old', undefined]);
    put('tagged', 'new', ['red']);
    expect(text('tagged')).toBe('new');
    expect(storage.invalidations.bytes).toBeLessThan(4_096 * 100);
  });
});

describe('a clear', () => {
  test('kills all entries of its cache in the partition, also those that say that there is no row', () => {
    put('a', 'old', ['red']);
    put('b', '', [], EntryFlag.negative);
    put('c', 'old', [], 0, 0, 1);
    clear();
    put('d', 'new');
    expect([text('a'), text('b'), text('c', 1), text('d')]).toEqual([undefined, undefined, 'old', 'new']);
    expect(storage.remove(0, slice('{p}a'))).toBe(false);
    expect(storage.expire(0, slice('{p}b'), 5)).toBe(false);
    checkStorage(storage);
  });

  test('holds in a partition that is not owned, and after it has become owned', () => {
    put('a', 'old');
    storage.setOwned(PARTITION, false);
    clear();
    expect(text('a')).toBeUndefined();
    storage.setOwned(PARTITION, true);
    expect(text('a')).toBeUndefined();
    const seen: number[] = [];
    storage.scanPartition(PARTITION, 0, 10, (ref) => seen.push(ref));
    expect(seen).toEqual([]);
    sweep();
    expect([storage.statistics(0).entries, removals]).toEqual([0, 0]);
  });

  test('does not reach into what comes when the partition has been dropped and filled again', () => {
    put('a', 'old');
    clear();
    storage.beginDrop(PARTITION);
    sweep();
    seq = 0;
    put('a', 'new');
    expect(text('a')).toBe('new');
  });
});

describe('a sweep', () => {
  test('frees the dead, and then nothing is dead any more', () => {
    for (let index = 0; index < 500; index++) put(`k${index}`, 'old', [`tag ${index % 50}`]);
    invalidate('tag 7');
    clear(1);
    expect(storage.invalidations.isAny).toBe(true);
    sweep();
    expect(storage.statistics(0).entries).toBe(490);
    expect(storage.invalidations.isAny).toBe(false);
    for (let round = 0; round < 8; round++) {
      invalidate('tag 8');
      sweep();
    }
    expect(storage.mayHaveTag(0, PARTITION, hashOf('tag 7'))).toBe(false);
    expect(storage.mayHaveTag(0, PARTITION, hashOf('tag 9'))).toBe(true);
    checkStorage(storage);
  });

  test('does not forget what was invalidated since it began', () => {
    put('a', 'old', ['red']);
    invalidate('blue');
    sweep();
    invalidate('red');
    clock.advance(100);
    for (let step = 0; step < 100; step++) storage.sweep(0.1);
    expect(text('a')).toBeUndefined();
    expect(storage.statistics(0).entries).toBe(1);
    sweep();
    expect(storage.statistics(0).entries).toBe(0);
  });
});

test('any row of puts, invalidations, sweeps and moves leaves what a plain list says', () => {
  const random = seededRandom(5);
  interface Known {
    value: string;
    tags: string[];
    dirty: boolean;
  }
  const known = new Map<string, Known>();
  const spare = (isDead: (entry: Known) => boolean): void => {
    for (const [key, entry] of known) if (!entry.dirty && isDead(entry)) known.delete(key);
  };
  for (let step = 0; step < 20_000; step++) {
    const key = `k${random.integer(300)}`;
    const dice = random.integer(100);
    if (dice < 80) {
      const tags = Array.from({ length: random.integer(4) }, () => `tag ${random.integer(12)}`);
      const value = `${step}`.repeat(1 + random.integer(random.integer(50) === 0 ? 6_000 : 20));
      const dirty = random.integer(10) === 0;
      put(key, value, tags, dirty ? EntryFlag.dirty : 0);
      known.set(key, { value, tags, dirty });
    } else if (dice < 88) {
      storage.remove(0, slice(`{p}${key}`));
      known.delete(key);
    } else if (dice < 96) {
      const tag = `tag ${random.integer(12)}`;
      const hadAny = [...known.values()].some(({ tags }) => tags.includes(tag));
      if (hadAny) expect(storage.mayHaveTag(0, PARTITION, hashOf(tag))).toBe(true);
      invalidate(tag);
      spare(({ tags }) => tags.includes(tag));
    } else if (dice < 97) {
      clear();
      spare(() => true);
    } else {
      clock.advance(random.integer(3_000));
      storage.sweep(0.1);
    }
    const expected = known.get(key)?.value;
    if (text(key) !== expected) expect([step, text(key)]).toEqual([step, expected]);
  }
  checkStorage(storage);
  for (const [key, { value }] of known) expect(text(key)).toBe(value);
});

test('a filter never denies what was added, and denies most else', () => {
  const filter = new TagFilter(2048);
  for (let index = 0; index < 2_000; index++) filter.add(hashOf(`in ${index}`));
  let mistaken = 0;
  for (let index = 0; index < 2_000; index++) {
    expect(filter.mayHave(hashOf(`in ${index}`))).toBe(true);
    if (filter.mayHave(hashOf(`out ${index}`))) mistaken++;
  }
  expect(mistaken / 2_000).toBeLessThan(0.08);
});
