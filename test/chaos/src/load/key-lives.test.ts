import { expect, test } from 'vitest';
import { keyLifeAt, SLOT_COUNT } from './key-lives.js';

test('a slot keeps its key until the end of its life, and takes another then', () => {
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const life = keyLifeAt(slot, 50_000, 1_000);
    expect(life.endMs).toBeGreaterThan(50_000);
    expect(keyLifeAt(slot, life.endMs - 0.5, 1_000)).toEqual(life);
    expect(keyLifeAt(slot, life.endMs, 1_000).key).not.toBe(life.key);
  }
});

test('no two slots share a key, and every kind of cache has a third of them', () => {
  const lives = Array.from({ length: SLOT_COUNT }, (_, slot) => keyLifeAt(slot, 123_456, 0));
  expect(new Set(lives.map(({ key }) => key)).size).toBe(SLOT_COUNT);
  for (const kind of ['memory', 'through', 'behind'])
    expect(lives.filter(({ cache }) => cache === kind)).toHaveLength(SLOT_COUNT / 3);
});

test('each kind of cache has keys of every length of life', () => {
  const lengths = new Map<string, Set<number>>();
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const { cache, endMs } = keyLifeAt(slot, 0, 0);
    const lengthMs = keyLifeAt(slot, endMs, 0).endMs - endMs;
    lengths.set(cache, (lengths.get(cache) ?? new Set()).add(lengthMs));
  }
  for (const found of lengths.values())
    expect([...found].sort((a, b) => a - b)).toEqual([4_000, 9_000, 20_000, 60_000]);
});
