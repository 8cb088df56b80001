import { LarderError } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { resolveCachePolicy } from './policy.js';

const origin = { postgresTable: { table: 'cities', key: 'id' } };

function mistakes(policy: unknown): string[] {
  try {
    resolveCachePolicy(policy, 'caches.cities');
  } catch (error) {
    if (error instanceof LarderError && error.code === 'CONFIG') return error.reason.split('\n');
    throw error;
  }
  return [];
}

describe('defaults', () => {
  test('of a cache without an origin: memory only, nothing expires', () => {
    expect(resolveCachePolicy({})).toMatchObject({ read: 'aside', write: 'memory', ttlMs: 0, origin: undefined });
    expect(resolveCachePolicy(undefined)).toEqual(resolveCachePolicy({}));
  });

  test('of a cache with an origin: through, ten minutes, "no such row" for a second', () => {
    expect(resolveCachePolicy({ origin })).toMatchObject({
      read: 'through',
      write: 'through',
      ttlMs: 600_000,
      jitter: 0.1,
      negativeTtlMs: 1000,
      memoryBytesMax: 64 * 1024 * 1024,
      eviction: 'adaptive',
    });
  });

  test('are replaced by what is given', () => {
    const policy = resolveCachePolicy({
      origin,
      write: 'behind',
      ttl: null,
      negativeTtl: null,
      memory: '128MiB',
      writeBehind: { maxDelay: null, flushSize: 10, maxAge: 5000 },
      loads: { maxBatch: 5 },
    });
    expect(policy).toMatchObject({
      ttlMs: 0,
      negativeTtlMs: 0,
      memoryBytesMax: 128 * 1024 * 1024,
      loads: { batchMax: 5 },
    });
    expect(policy.writeBehind).toMatchObject({
      delayMs: Number.POSITIVE_INFINITY,
      flushSize: 10,
      ageMsMax: 5000,
      pendingBytesMax: 64 * 1024 * 1024,
    });
  });
});

describe('what is reloaded ahead of time, or kept beyond its life', () => {
  test('has defaults', () => {
    const policy = resolveCachePolicy({ origin, staleFor: '1h', refreshAhead: {} });
    expect(policy).toMatchObject({
      staleForMs: 3_600_000,
      refreshAhead: { fraction: 0.5, hitsMin: 1, early: 0, intervalMs: 0, keys: [] },
    });
    expect(resolveCachePolicy({ origin, refreshAhead: null, staleFor: null })).toMatchObject({
      staleForMs: 0,
      refreshAhead: undefined,
    });
  });

  test.each([
    [{ staleFor: '1h' }, `caches.cities.staleFor: "1h" given; allowed: none, because read is 'aside'`],
    [{ refreshAhead: {} }, `caches.cities.refreshAhead: {} given; allowed: none, because read is 'aside'`],
    [
      { origin, ttl: null, staleFor: 5 },
      'caches.cities.staleFor: 5 given; allowed: none, because ttl is null and nothing expires',
    ],
    [
      { origin, idle: '1m', refreshAhead: {} },
      'caches.cities.refreshAhead: {} given; allowed: none, because idle keeps what is read as it is',
    ],
    [
      { origin, ttl: null, refreshAhead: {} },
      'caches.cities.refreshAhead: {} given; allowed: interval and keys, because ttl is null',
    ],
    [
      { origin, refreshAhead: { fraction: 0.2, early: 1 } },
      'caches.cities.refreshAhead.early: 1 given; allowed: none, because fraction is given: one of the two',
    ],
    [
      { origin, refreshAhead: { keys: ['top'] } },
      'caches.cities.refreshAhead.interval: nothing given; allowed: a duration, because keys are listed',
    ],
    [
      { origin, refreshAhead: { interval: '5s' } },
      'caches.cities.refreshAhead.keys: nothing given; allowed: the keys to reload, because interval is given',
    ],
    [
      { origin, refreshAhead: { interval: '5s', keys: ['a', 'a'] } },
      'caches.cities.refreshAhead.keys: ["a","a"] given; allowed: 1 to 1000 different keys, each a text of 1 to 4096 bytes',
    ],
  ])('is checked: %j', (policy, mistake) => {
    expect(mistakes(policy)).toEqual([mistake]);
  });
});

test('an idle time takes the place of the life', () => {
  expect(resolveCachePolicy({ origin, idle: '30m' })).toMatchObject({ ttlMs: 1_800_000, idleMs: 1_800_000 });
  expect(resolveCachePolicy({ origin, idle: '30m', ttl: null })).toMatchObject({ ttlMs: 1_800_000 });
  expect(resolveCachePolicy({ origin, idle: null, ttl: '5s' })).toMatchObject({ ttlMs: 5000, idleMs: 0 });
});

describe('a mistake', () => {
  test.each([
    [{ idle: 99 }, /^caches\.cities\.idle: 99 given; allowed: .* from 100 ms/],
    [{ idle: '5s', ttl: '9s' }, /^caches\.cities\.ttl: "9s" given; allowed: none, because idle says/],
    [
      { ttl: '5 parsecs' },
      /^caches\.cities\.ttl: "5 parsecs" given; allowed: milliseconds as a number, or a string like/,
    ],
    [{ ttl: 0 }, /^caches\.cities\.ttl: 0 given; allowed: .* from 1 ms to \d+ ms, or null$/],
    [{ jitter: 0.6 }, /^caches\.cities\.jitter: 0\.6 given; allowed: a number from 0 to 0\.5/],
    [
      { write: 'sideways' },
      /^caches\.cities\.write: "sideways" given; allowed: 'through', 'behind', 'around', 'memory'/,
    ],
    [
      { memory: '64MB' },
      /^caches\.cities\.memory: "64MB" given; allowed: bytes as a whole number, or a string like '512KiB'/,
    ],
    [
      { origin, loads: { maxBatch: 1.5 } },
      /^caches\.cities\.loads\.maxBatch: 1\.5 given; allowed: a whole number from 1 to/,
    ],
    [{ tll: '5s' }, /^caches\.cities\.tll: "5s" given; allowed: the settings read, write, origin, ttl/],
    [
      { origin: { mysqlTable: {} } },
      /^caches\.cities\.origin\.mysqlTable: \{\} given; allowed: the settings postgresTable, postgresQuery, module$/,
    ],
    [
      { origin: {} },
      /^caches\.cities\.origin: \{\} given; allowed: exactly one of postgresTable, postgresQuery, module$/,
    ],
    [
      { origin: { module: { path: './x.mjs' }, postgresQuery: { sql: 'SELECT $1' } } },
      /^caches\.cities\.origin: .* given; allowed: exactly one of postgresTable/,
    ],
    [
      { write: 'through', origin: { postgresQuery: { sql: 'SELECT $1' } } },
      /^caches\.cities\.write: "through" given; allowed: 'memory', because the cache's origin is a query/,
    ],
    [
      { origin: { postgresQuery: { sql: 'SELECT $1', result: 'all' } } },
      /^caches\.cities\.origin\.postgresQuery\.result: "all" given; allowed: 'rows', 'row'$/,
    ],
    [
      { origin: { postgresTable: { table: 't', key: [] } } },
      /^caches\.cities\.origin\.postgresTable\.key: \[\] given; allowed: at least one column name/,
    ],
    [
      { origin: { postgresTable: { table: 't', key: 7 } } },
      /^caches\.cities\.origin\.postgresTable\.key: 7 given; allowed: the name of the key column, or a list of 1 to 32/,
    ],
    [
      { origin: { postgresTable: { table: 't', key: ['a', 'a'] } } },
      /^caches\.cities\.origin\.postgresTable\.key: \["a","a"\] given; allowed: each column once/,
    ],
    [
      { origin: { postgresTable: { table: 't', key: 'a', value: 'doc', columns: ['b'] } } },
      /^caches\.cities\.origin\.postgresTable\.value: "doc" given; allowed: none, because columns says/,
    ],
    [
      { origin: { postgresTable: { table: 't', key: 'a', versionColumn: 'b', columns: ['b'] } } },
      /^caches\.cities\.origin\.postgresTable\.versionColumn: "b" given; allowed: a column that is not among columns/,
    ],
    [
      { origin: { postgresTable: { table: '', key: 'id' } } },
      /^caches\.cities\.origin\.postgresTable\.table: "" given; allowed: a table/,
    ],
    [
      { origin: { postgresTable: { table: 't', key: 'id', columns: ['a', 'a'] } } },
      /columns: \["a","a"\] given; allowed: each column once/,
    ],
    ['fast', /^caches\.cities: "fast" given; allowed: an object of settings/],
  ])('in %j names the path, the value and what is allowed', (policy, expected) => {
    expect(mistakes(policy)[0]).toMatch(expected);
  });

  test('does not hide the others', () => {
    expect(mistakes({ ttl: -1, jitter: 2, read: 'maybe' })).toHaveLength(3);
  });
});

describe('a contradiction', () => {
  test.each([
    [{ read: 'through' }, 'caches.cities.read: "through" given; allowed: \'aside\', because the cache has no origin'],
    [{ write: 'behind' }, 'caches.cities.write: "behind" given; allowed: \'memory\', because the cache has no origin'],
    [{ origin, read: 'aside', write: 'memory' }, /^caches\.cities\.origin: .* never asks it$/],
    [{ writeBehind: {} }, 'caches.cities.writeBehind: {} given; allowed: none, because the cache has no origin'],
    [{ writes: {} }, /^caches\.cities\.writes: .* because the cache has no origin$/],
    [{ loads: {} }, /^caches\.cities\.loads: .* because read is 'aside'$/],
    [{ negativeTtl: '1s' }, /^caches\.cities\.negativeTtl: .* because read is 'aside'$/],
    [{ invalidate: false }, /^caches\.cities\.invalidate: false given; .* because the cache has no origin$/],
    [
      { origin: { postgresTable: { table: 't', key: 'id', columns: ['id', 'name'] } }, tags: ['city:{id}', '{mayor}'] },
      /tags: .* allowed: templates with names of columns in braces: the values of this cache have id, name$/,
    ],
    [{ origin, writeBehind: { maxPending: 10 } }, /flushSize: 1000 given; allowed: at most maxPending, 10/],
    [
      { origin, write: 'behind', writeBehind: { maxDelay: null, flushSize: null } },
      /maxDelay: null given; allowed: a duration/,
    ],
    [
      { origin, write: 'behind', writeBehind: { maxDelay: '2m' } },
      /maxDelay: "2m" given; allowed: less than maxAge, 60000 ms$/,
    ],
    [
      { origin, write: 'behind', writeBehind: { maxPending: 10 } },
      /flushSize: 1000 given; allowed: at most maxPending, 10/,
    ],
    [
      { origin, write: 'behind', memory: '1MiB', writeBehind: { maxPendingBytes: '2MiB' } },
      /at most the cache's memory, 1048576 bytes$/,
    ],
    [
      { origin, write: 'behind', writeBehind: { retryFirst: '2s', retryMax: '1s' } },
      /retryFirst: "2s" given; allowed: at most retryMax/,
    ],
  ])('in %j is told', (policy, expected) => {
    const found = mistakes(policy);
    expect(found).toHaveLength(1);
    if (typeof expected === 'string') expect(found[0]).toBe(expected);
    else expect(found[0]).toMatch(expected);
  });
});

test('a password never appears in a message', () => {
  const url = 'postgres://ann:secret@db/x';
  expect(mistakes({ origin: { postgresTable: { table: 't', key: 'id', url } } }).join()).toContain(
    'postgres://ann:***@db/x',
  );
});
