import { seededRandom } from '@larder/base';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Arena } from './arena.js';
import { Directory } from './directory.js';
import { SegmentTable, TAG_COUNT } from './segment.js';

const PARTITION = 7;
/** Tags that have the last home of every table, and how many entries of them always fit behind it. */
const LAST_TAGS = TAG_COUNT - 512;
const LAST_MAX = 12;

function open(bytes = 64 * 2 ** 20) {
  const arena = new Arena(bytes);
  const directory = new Directory();
  const table = new SegmentTable(arena, directory);
  const source = {
    allocate: (words: number) => arena.allocate(words),
    allocateFree: (words: number) => arena.allocate(words),
  };
  const insert = (tag: number, ref: number): void => {
    expect(table.makeRoom(PARTITION, tag, source)).toBe(true);
    table.insert(PARTITION, tag, ref);
  };
  const walk = (): { tag: number; ref: number; distance: number }[] => {
    const found = [];
    for (let slot = table.slotFrom(PARTITION, 0); slot !== 0; slot = table.slotBehind(PARTITION, slot)) {
      const tag = arena.words[slot + 1]! >>> 8;
      found.push({ tag, ref: arena.words[slot]!, distance: (slot - table.home(PARTITION, tag)) / 2 });
    }
    return found;
  };
  const remove = (tag: number, ref: number): void => {
    let slot = table.home(PARTITION, tag);
    while (arena.words[slot] !== ref) slot += 2;
    table.remove(PARTITION, slot);
    table.shrink(PARTITION, tag, source);
  };
  return { arena, directory, table, source, insert, remove, walk };
}

test('whatever is inserted and removed, the slots hold it in the order of the tags, at or behind its home', () => {
  const step = fc.record({
    insert: fc.boolean(),
    tag: fc.oneof(fc.nat(TAG_COUNT - 1), fc.nat(300), fc.constant(TAG_COUNT - 1)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
      const { insert, remove, walk } = open(2 ** 20);
      const model: { tag: number; ref: number }[] = [];
      let ref = 1;
      for (const { insert: isInsert, tag } of steps) {
        const isOneTooMany = tag >= LAST_TAGS && model.filter((one) => one.tag >= LAST_TAGS).length === LAST_MAX;
        if (model.length === 0 || (isInsert && !isOneTooMany)) {
          model.push({ tag, ref });
          insert(tag, ref++);
        } else {
          const [gone] = model.splice(tag % model.length, 1);
          remove(gone!.tag, gone!.ref);
        }
      }
      const found = walk();
      const byRef = (a: { ref: number }, b: { ref: number }) => a.ref - b.ref;
      expect(found.map(({ tag, ref }) => ({ tag, ref })).sort(byRef)).toEqual(model.sort(byRef));
      expect(found.every(({ tag, distance }, index) => distance >= 0 && tag >= (found[index - 1]?.tag ?? 0))).toBe(
        true,
      );
    }),
    { numRuns: 50 },
  );
});

test('of the last tag of all as many as can run over the end are taken, and no more; the others stay', () => {
  const { table, source, walk } = open(2 ** 20);
  let taken = 0;
  while (taken < 100 && table.makeRoom(PARTITION, TAG_COUNT - 1, source)) {
    table.insert(PARTITION, TAG_COUNT - 1, ++taken);
  }
  expect(taken).toBeGreaterThanOrEqual(LAST_MAX);
  expect(taken).toBeLessThan(100);
  expect(walk()).toHaveLength(taken);
  expect(table.makeRoom(PARTITION, 0, source)).toBe(true);
});

test('a partition of 200,000 entries grows in segments of at most 2,048 slots, and searches stay short', () => {
  const { arena, table, directory, insert, walk } = open();
  const random = seededRandom(1);
  for (let ref = 1; ref <= 200_000; ref++) insert(random.integer(TAG_COUNT), ref);
  for (let tag = 0; tag < TAG_COUNT; tag += TAG_COUNT >>> 12) {
    expect(directory.capacity(directory.entryOf(PARTITION, tag))).toBeLessThanOrEqual(2048);
  }
  const distances = walk().map(({ distance }) => distance);
  expect(distances).toHaveLength(200_000);
  expect(distances.reduce((sum, distance) => sum + distance, 0) / distances.length).toBeLessThan(3);
  expect(distances.reduce((most, distance) => Math.max(most, distance), 0)).toBeLessThan(100);
  expect(table.totalWords).toBe(arena.liveWords);
  expect((table.totalWords * 4) / 200_000).toBeLessThan(12.5);
});

test('a segment that has been emptied gives its memory back', () => {
  const { arena, table, insert, remove } = open();
  const random = seededRandom(2);
  const tags = Array.from({ length: 20_000 }, () => random.integer(TAG_COUNT));
  for (const [index, tag] of tags.entries()) insert(tag, index + 1);
  const full = arena.liveWords;
  for (const [index, tag] of tags.entries()) if (index >= 100) remove(tag, index + 1);
  expect(arena.liveWords).toBeLessThan(full / 10);
  for (const [index, tag] of tags.entries()) if (index < 100) remove(tag, index + 1);
  table.freeAll(PARTITION);
  expect(arena.liveWords).toBe(0);
  expect(table.slotFrom(PARTITION, 0)).toBe(0);
});

test('without memory for a larger segment there is no room, and what is there stays', () => {
  const arena = new Arena(2 ** 16);
  const table = new SegmentTable(arena, new Directory());
  const source = { allocate: (words: number) => arena.allocate(words), allocateFree: () => 0 };
  const random = seededRandom(3);
  let count = 0;
  for (; count < 100_000; count++) {
    const tag = random.integer(TAG_COUNT);
    if (!table.makeRoom(PARTITION, tag, source)) break;
    table.insert(PARTITION, tag, count + 1);
  }
  expect(count).toBeGreaterThan(1000);
  expect(count).toBeLessThan(8192);
  let found = 0;
  for (let slot = table.slotFrom(PARTITION, 0); slot !== 0; slot = table.slotBehind(PARTITION, slot)) found++;
  expect(found).toBe(count);
});
