import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { ManualClock, seededRandom } from '@larder/base';
import { PutResult } from '@larder/loader';
import { type KeySlice, keySlice } from '@larder/proto';
import { expect, test } from 'vitest';
import { createStorage } from '../create-storage.js';
import type { EvictionPolicyName, Storage } from '../storage.js';

interface Reference {
  readonly trace: string;
  readonly requests: number;
  readonly sizes: Readonly<Record<string, { lru: number; fifo: number; random?: number; opt: number }>>;
}

const fixture = (name: string): Buffer => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const REFERENCES = JSON.parse(fixture('hit-counts.json').toString()) as Reference[];
const VALUE = Buffer.alloc(1024);

/** Keys of one length, so that all entries are of one size. */
function requestsOf(trace: string): KeySlice[] {
  const slices = new Map<string, KeySlice>();
  return gunzipSync(fixture(`${trace}.gz`))
    .toString()
    .trimEnd()
    .split('\n')
    .map((key) => {
      const known = slices.get(key) ?? keySlice(Buffer.from(key.padStart(24)));
      slices.set(key, known);
      return known;
    });
}

function open(memoryBytesMax: number, eviction: EvictionPolicyName): Storage {
  const options = {
    memoryBytesMax: memoryBytesMax * 1.3 + 2 ** 21,
    valueBytesMax: 2 ** 20,
    caches: [{ cache: 0, memoryBytesMax, eviction }],
  };
  options.memoryBytesMax = Math.floor(options.memoryBytesMax);
  return createStorage(options, new ManualClock(), seededRandom(7));
}

/** A storage in which exactly `size` entries fit. */
function openFor(size: number, eviction: EvictionPolicyName): Storage {
  const probe = open(2 ** 20, eviction);
  const before = probe.statistics(0).bytes;
  probe.put(0, keySlice(Buffer.alloc(24)), VALUE, 0, VALUE.length, 1, 1, 0, 0);
  const entryBytes = probe.statistics(0).bytes - before;
  let bound = size * entryBytes;
  for (let step = 0; step < 4; step++) bound = size * entryBytes + open(bound, eviction).statistics(0).bytes + 64;
  return open(bound, eviction);
}

function hitsOf(requests: readonly KeySlice[], size: number, eviction: EvictionPolicyName): number {
  const storage = openFor(size, eviction);
  let hits = 0;
  for (const key of requests) {
    if (storage.find(0, key) !== 0) hits++;
    else if (storage.put(0, key, VALUE, 0, VALUE.length, 1, 1, 0, 0) !== PutResult.stored) throw new Error('refused');
  }
  expect(storage.statistics(0).entries).toBeLessThanOrEqual(size);
  return hits;
}

test.each(REFERENCES)('lru and fifo hit exactly as often as the reference on $trace', ({ trace, sizes }) => {
  const requests = requestsOf(trace);
  for (const [size, reference] of Object.entries(sizes)) {
    expect(hitsOf(requests, Number(size), 'lru'), `lru ${size}`).toBe(reference.lru);
    expect(hitsOf(requests, Number(size), 'fifo'), `fifo ${size}`).toBe(reference.fifo);
  }
});

test.each(REFERENCES)(
  'adaptive is never more than a point below lru on $trace',
  ({ trace, requests: count, sizes }) => {
    const requests = requestsOf(trace);
    for (const [size, { lru }] of Object.entries(sizes)) {
      const points = (100 * (hitsOf(requests, Number(size), 'adaptive') - lru)) / count;
      expect(points, `size ${size}`).toBeGreaterThanOrEqual(-1);
    }
  },
);

test('adaptive gets more than half of what is between lru and the optimum, on average', () => {
  const shares: number[] = [];
  for (const { trace, requests: count, sizes } of REFERENCES) {
    const requests = requestsOf(trace);
    for (const [size, { lru, opt }] of Object.entries(sizes)) {
      if (opt - lru > 0.01 * count) shares.push((hitsOf(requests, Number(size), 'adaptive') - lru) / (opt - lru));
    }
  }
  expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeGreaterThan(0.5);
});

test('lfu keeps more of a skewed workload than fifo, and forgets what was popular once', () => {
  const requests = requestsOf('web07');
  expect(hitsOf(requests, 300, 'lfu')).toBeGreaterThan(hitsOf(requests, 300, 'fifo'));
  const moved = [...requests, ...requests.map((key) => shifted(key))];
  const first = hitsOf(requests, 300, 'lfu');
  expect(hitsOf(moved, 300, 'lfu')).toBeGreaterThan(1.9 * first);
});

test('random hits as often as the reference, within what chance explains', () => {
  for (const { trace, requests: count, sizes } of REFERENCES) {
    const requests = requestsOf(trace);
    for (const [size, { random }] of Object.entries(sizes)) {
      if (random === undefined || Number(size) < 100) continue;
      const points = (100 * (hitsOf(requests, Number(size), 'random') - random)) / count;
      expect(Math.abs(points), `${trace} ${size}`).toBeLessThan(2.5);
    }
  }
});

/** The same request for another key. */
function shifted({ bytes }: KeySlice): KeySlice {
  return keySlice(Buffer.from(`+${Buffer.from(bytes).toString().slice(1)}`));
}
