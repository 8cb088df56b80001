import { ManualClock, seededRandom } from '@larder/base';
import { EntryFlag, PutResult } from '@larder/loader';
import { type KeySlice, keySlice } from '@larder/proto';
import { beforeEach, describe, expect, test } from 'vitest';
import { checkStorage } from './check-storage.js';
import { createStorage } from './create-storage.js';
import { type EvictionPolicyName, RemovalCause } from './storage.js';
import type { StorageEngine } from './storage-engine.js';

/** A microsecond passes whenever it is read. */
class RestlessClock extends ManualClock {
  #readings = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.#readings++ * 0.001;
  }
}

interface Removal {
  readonly key: string;
  readonly partition: number;
  readonly cause: RemovalCause;
}

const MIB = 2 ** 20;
const POLICIES: EvictionPolicyName[] = ['adaptive', 'lru', 'lfu', 'fifo', 'ttl', 'random'];
const VALUE = Buffer.alloc(MIB, 'v');

let clock: ManualClock;
let storage: StorageEngine;
let removals: Removal[];

function open(eviction: EvictionPolicyName, memoryBytesMax = 4 * MIB, owned = true): StorageEngine {
  removals = [];
  const caches = [0, 1].map((cache) => ({ cache, memoryBytesMax, eviction }));
  const options = { memoryBytesMax: memoryBytesMax + MIB, valueBytesMax: MIB, caches, owned };
  return createStorage(options, clock, seededRandom(1), (_cache, partition, ref, cause) => {
    const key = Buffer.alloc(storage.keyBytes(ref));
    storage.copyKey(ref, key, 0);
    removals.push({ key: key.toString(), partition, cause });
  }) as StorageEngine;
}

const slice = (name: string): KeySlice => keySlice(Buffer.from(name));
/** Keys of one group are in one partition. */
const partitionOfGroup = (group: string): number => slice(`{${group}}`).partition;

function put(key: string, bytes = 1000, ttlMs = 0, flags = 0): PutResult {
  return storage.put(0, slice(key), VALUE, 0, bytes, 1, 1, ttlMs, flags);
}

function fill(group: string, count: number, bytes = 1000, ttlMs = 0): void {
  for (let index = 0; index < count; index++) {
    expect(put(`{${group}}${index}`, bytes, ttlMs)).toBe(PutResult.stored);
  }
}

function found(group: string, count: number): number {
  let entries = 0;
  for (let index = 0; index < count; index++) if (storage.peek(0, slice(`{${group}}${index}`)) !== 0) entries++;
  return entries;
}

const settle = (): void => {
  while (storage.maintain(1));
};

beforeEach(() => {
  clock = new ManualClock();
});

describe.each(POLICIES)('%s: a partition that is not owned', (eviction) => {
  beforeEach(() => {
    storage = open(eviction);
  });

  test.each([false, true])('is never evicted from; settled before: %s', (isSettled) => {
    fill('copy', 1000);
    storage.setOwned(partitionOfGroup('copy'), false);
    if (isSettled) settle();
    fill('own', 10_000);
    expect(found('copy', 1000)).toBe(1000);
    expect(removals.length).toBeGreaterThan(6000);
    expect(new Set(removals.map(({ partition }) => partition))).toEqual(new Set([partitionOfGroup('own')]));
    checkStorage(storage);
  });

  test('takes writes, for which owned entries give way, until nothing of those is left', () => {
    fill('own', 5000);
    storage.setOwned(partitionOfGroup('copy'), false);
    let stored = 0;
    while (put(`{copy}${stored}`) === PutResult.stored) stored++;
    expect(stored).toBeGreaterThan(3500);
    expect(found('own', 5000)).toBeLessThan(10);
    expect(found('copy', stored)).toBe(stored);
    checkStorage(storage);
    expect(storage.remove(0, slice('{copy}0'))).toBe(true);
    expect(put('{copy}another')).toBe(PutResult.stored);
    checkStorage(storage);
  });

  test('is evicted from again when it is owned again', () => {
    storage.setOwned(partitionOfGroup('copy'), false);
    fill('copy', 2000);
    settle();
    storage.setOwned(partitionOfGroup('copy'), true);
    settle();
    expect(storage.residents.pinnedWords).toBe(0);
    checkStorage(storage);
    fill('own', 10_000);
    expect(found('copy', 2000)).toBeLessThan(2000);
    checkStorage(storage);
  });

  test('that is owned and lost again and again while it is written to keeps what it was given', () => {
    const random = seededRandom(3);
    storage.setOwned(partitionOfGroup('copy'), false);
    fill('copy', 500);
    for (let step = 0; step < 20_000; step++) {
      const group = random.integer(2) === 0 ? 'copy' : 'other';
      const dice = random.integer(1000);
      if (dice < 4) storage.setOwned(partitionOfGroup(group), random.integer(2) === 0);
      else if (dice < 8) storage.maintain(0);
      else if (dice < 100) storage.remove(0, slice(`{${group}}${random.integer(3000)}`));
      else if (dice < 300) storage.find(0, slice(`{${group}}${random.integer(3000)}`));
      else put(`{${group}}${random.integer(3000)}`, random.integer(2000), 0, dice < 330 ? EntryFlag.dirty : 0);
      if (step % 1000 === 0) checkStorage(storage);
    }
    storage.setOwned(partitionOfGroup('copy'), true);
    storage.setOwned(partitionOfGroup('other'), false);
    settle();
    checkStorage(storage);
  });
});

test('entries of another owner do not expire; when the partition is taken over, those whose end has passed do', () => {
  storage = open('lru');
  storage.setOwned(partitionOfGroup('copy'), false);
  fill('copy', 100, 10, 5000);
  put('{copy}long', 10, 600_000);
  for (let second = 0; second < 60; second++) {
    clock.advance(1000);
    settle();
  }
  expect(found('copy', 100)).toBe(100);
  expect(storage.remainingMs(storage.peek(0, slice('{copy}7')))).toBe(1);
  expect(storage.expire(0, slice('{copy}7'), 600_000)).toBe(true);
  storage.setOwned(partitionOfGroup('copy'), true);
  expect(found('copy', 100)).toBe(1);
  expect(removals).toEqual([]);
  settle();
  expect(removals).toHaveLength(99);
  expect(removals).toContainEqual({
    key: '{copy}8',
    partition: partitionOfGroup('copy'),
    cause: RemovalCause.expired,
  });
  expect(storage.statistics(0)).toMatchObject({ entries: 2, expirations: 99 });
});

test('an entry that expired while its partition was lost for a moment still goes', () => {
  storage = open('lru');
  fill('copy', 10, 10, 5000);
  storage.setOwned(partitionOfGroup('copy'), false);
  for (let second = 0; second < 30; second++) {
    clock.advance(1000);
    storage.changes.run(0);
  }
  storage.setOwned(partitionOfGroup('copy'), true);
  settle();
  expect(storage.statistics(0)).toMatchObject({ entries: 0, expirations: 10 });
});

test('a node can begin without owning anything', () => {
  storage = open('lru', 4 * MIB, false);
  fill('any', 100, 10, 1000);
  clock.advance(60_000);
  settle();
  expect(found('any', 100)).toBe(100);
  expect(storage.residents.pinnedWords).toBeGreaterThan(0);
});

test('taking over and giving away touch no entry; the rest is done in steps of a stated time', () => {
  clock = new RestlessClock();
  storage = open('adaptive', 16 * MIB);
  const partition = partitionOfGroup('large');
  storage.setOwned(partition, false);
  fill('large', 10_000, 20);
  const aside = storage.residents.pinnedWords;
  for (const owned of [true, false]) {
    storage.setOwned(partition, owned);
    expect(storage.residents.pinnedWords).toBe(owned ? aside : 0);
    let steps = 1;
    while (storage.maintain(0.002)) steps++;
    expect(steps).toBeGreaterThan(50);
    expect(storage.residents.pinnedWords).toBe(owned ? 0 : aside);
  }
  checkStorage(storage);
});

describe('a partition that is dropped', () => {
  test('is empty at once, is freed in steps, and others stay', () => {
    clock = new RestlessClock();
    storage = open('lru', 16 * MIB);
    fill('gone', 10_000, 20);
    fill('stays', 100);
    const partition = partitionOfGroup('gone');
    storage.beginDrop(partition);
    expect(storage.isDropping(partition)).toBe(true);
    expect(storage.statistics(0).entries).toBe(10_100);
    expect(found('gone', 10_000)).toBe(0);
    expect(storage.find(0, slice('{gone}1'))).toBe(0);
    expect(storage.remove(0, slice('{gone}1'))).toBe(false);
    expect(storage.expire(0, slice('{gone}1'), 5)).toBe(false);
    expect(storage.entriesOfPartition(partition)).toBe(0);
    expect(storage.scanPartition(partition, 0, 10, () => expect.unreachable())).toBe(0);
    let steps = 1;
    while (storage.maintain(0.002)) {
      if (steps++ % 20 === 0) checkStorage(storage);
    }
    expect(steps).toBeGreaterThan(50);
    expect(storage.isDropping(partition)).toBe(false);
    expect(storage.statistics(0).entries).toBe(100);
    expect(found('stays', 100)).toBe(100);
    expect(removals).toEqual([]);
    fill('gone', 10);
    expect(found('gone', 10)).toBe(10);
    checkStorage(storage);
  });

  test('refuses to be filled before it is empty', () => {
    storage = open('lru');
    fill('gone', 100);
    storage.beginDrop(partitionOfGroup('gone'));
    expect(() => put('{gone}new')).toThrow('dropped');
    settle();
    expect(put('{gone}new')).toBe(PutResult.stored);
  });

  test('that is empty already is not being dropped', () => {
    storage = open('lru');
    storage.beginDrop(partitionOfGroup('nothing'));
    expect(storage.isDropping(partitionOfGroup('nothing'))).toBe(false);
  });

  test.each([true, false])('gives its memory to those that need it before anybody is evicted; owned: %s', (owned) => {
    storage = open('lru');
    storage.setOwned(partitionOfGroup('gone'), owned);
    fill('gone', 2000);
    fill('own', 1500);
    storage.beginDrop(partitionOfGroup('gone'));
    fill('next', 2000);
    expect(removals).toEqual([]);
    expect(found('own', 1500)).toBe(1500);
    expect(found('next', 2000)).toBe(2000);
    checkStorage(storage);
  });

  test('makes room for a large value though all of it was pinned', () => {
    storage = open('lru');
    storage.setOwned(partitionOfGroup('gone'), false);
    fill('gone', 35, 100_000);
    expect(put('large', MIB)).toBe(PutResult.full);
    storage.beginDrop(partitionOfGroup('gone'));
    expect(put('large', MIB)).toBe(PutResult.stored);
    checkStorage(storage);
  });

  test('may be taken over, lost and dropped again before it is empty', () => {
    storage = open('adaptive');
    const partition = partitionOfGroup('gone');
    fill('gone', 1000);
    storage.setOwned(partition, false);
    storage.beginDrop(partition);
    storage.setOwned(partition, true);
    storage.beginDrop(partition);
    settle();
    expect(storage.isDropping(partition)).toBe(false);
    fill('gone', 5000);
    expect(removals.length).toBeGreaterThan(500);
    checkStorage(storage);
  });
});

test('the owner is told before an entry goes, with the partition, and may read it', () => {
  storage = open('fifo');
  fill('own', 4500);
  expect(removals[0]).toEqual({ key: '{own}0', partition: partitionOfGroup('own'), cause: RemovalCause.evicted });
  expect(removals.map(({ key }) => key)).toEqual(removals.map((_, index) => `{own}${index}`));
});

test('a put that is refused keeps what it was to replace, and it can be evicted as before', () => {
  storage = open('lru');
  storage.setOwned(partitionOfGroup('copy'), false);
  put('{own}old', 1000);
  let stored = 0;
  while (put(`{copy}${stored}`) === PutResult.stored) stored++;
  expect(found('own', 1)).toBe(0);
  expect(storage.peek(0, slice('{own}old'))).toBe(0);
  expect(storage.remove(0, slice('{copy}0'))).toBe(true);
  expect(storage.remove(0, slice('{copy}1'))).toBe(true);
  expect(put('{own}old', 900)).toBe(PutResult.stored);
  expect(put('{own}old', 10_000)).toBe(PutResult.full);
  expect(storage.valueBytes(storage.peek(0, slice('{own}old')))).toBe(900);
  removals.length = 0;
  for (let more = 0; put(`{copy}more${more}`) === PutResult.stored; more++);
  expect(removals.map(({ key }) => key)).toEqual(['{own}old']);
  checkStorage(storage);
});

test('a partition that does not exist is an error', () => {
  storage = open('lru');
  expect(() => storage.setOwned(1024, true)).toThrow('partition 1024');
  expect(() => storage.beginDrop(-1)).toThrow('partition -1');
});

test('an entry whose write to the origin is under way is evicted as others', () => {
  storage = open('lru');
  put('{own}unsure', 1000, 0, EntryFlag.unsure);
  fill('own', 4500);
  expect(removals[0]!.key).toBe('{own}unsure');
});
