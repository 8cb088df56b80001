import { keySlice, LarderError, ReadMode } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { GatedOrigin } from '../../test/gated-origin.js';
import { failure, message, Rig, settle } from '../../test/rig.js';
import type { CachePolicy } from '../policy.js';
import { REFRESHES_MAX } from './read-through.js';

const AWAY = new LarderError('ORIGIN_UNAVAILABLE', 'the database is down');

/** Row `a` was loaded and lives for ten seconds. */
async function loaded(refreshAhead: CachePolicy['refreshAhead'], policy: CachePolicy = {}): Promise<Rig> {
  const rig = new Rig({ read: 'through', ttl: '10s', ...policy, refreshAhead });
  await rig.row('a', 'one');
  const answer = rig.get('a');
  (await rig.origin.called(1)).open();
  await answer.told;
  await rig.row('a', 'two');
  return rig;
}

const hit = (value: string) => ({ value, from: 'memory' });

describe('a hit in the last part of the life', () => {
  test('is answered at once and reloads the entry in the background, once', async () => {
    const rig = await loaded({ fraction: 0.2 });
    rig.clock.advance(7_999);
    rig.get('a');
    await settle();
    expect(rig.origin.calls).toHaveLength(1);
    rig.clock.advance(1);
    for (let get = 0; get < 100; get++) expect(rig.get('a').outcome).toEqual(hit('one'));
    (await rig.origin.called(2)).open();
    await settle();
    expect(rig.get('a').outcome).toEqual(hit('two'));
    expect(rig.lifeMs('a')).toBe(10_000);
    expect(rig.loader.statistics()).toMatchObject({ misses: 1, loads: 2, refreshes: 1, refreshesSkipped: 0 });
  });

  test('reloads only after minHits of them, counted anew for each value', async () => {
    const rig = await loaded({ fraction: 0.5, minHits: 3 });
    rig.clock.advance(5_000);
    rig.get('a');
    rig.get('a');
    await settle();
    expect(rig.origin.calls).toHaveLength(1);
    rig.get('a');
    (await rig.origin.called(2)).open();
    await settle();
    rig.clock.advance(5_000);
    rig.get('a');
    await settle();
    expect(rig.origin.calls).toHaveLength(2);
  });

  test('of an entry that is still loading when it ends: who misses it joins that load', async () => {
    const rig = await loaded({ fraction: 0.2 });
    rig.clock.advance(9_000);
    rig.get('a');
    const call = await rig.origin.called(2);
    rig.clock.advance(1_000);
    const late = rig.get('a');
    call.open();
    expect(await late.told).toEqual(hit('two'));
    expect(rig.origin.calls).toHaveLength(2);
  });

  test('leaves the old value if the load fails, and tries again no sooner than in a second', async () => {
    const rig = await loaded({ fraction: 1 });
    rig.get('a');
    (await rig.origin.called(2)).fail(AWAY);
    await settle();
    for (let get = 0; get < 10; get++) expect(rig.get('a').outcome).toEqual(hit('one'));
    await settle();
    expect(rig.origin.calls).toHaveLength(2);
    rig.clock.advance(1_000);
    rig.get('a');
    (await rig.origin.called(3)).open();
    await settle();
    expect(rig.get('a').outcome).toEqual(hit('two'));
  });

  test('does not bring back what was before a write', async () => {
    const rig = await loaded({ fraction: 1 }, { write: 'behind' });
    rig.get('a');
    const call = await rig.origin.called(2);
    rig.set('a', 'newest');
    call.open();
    await settle();
    expect(rig.get('a').outcome).toEqual(hit('newest'));
  });

  test('removes the entry if its row has gone', async () => {
    const rig = await loaded({ fraction: 1 }, { negativeTtl: 0 });
    await rig.origin.rows.deleteMany(['a']);
    rig.get('a');
    (await rig.origin.called(2)).open();
    await settle();
    expect(rig.get('a').outcome).toBeUndefined();
  });
});

test('no more than so many entries are reloaded at a time; the others live on', async () => {
  const rig = new Rig({ read: 'through', ttl: '10s', refreshAhead: { fraction: 1 } });
  rig.origin.gated = false;
  const keys = Array.from({ length: REFRESHES_MAX + 10 }, (_, key) => `${key}`);
  for (const key of keys) await rig.row(key, key);
  await Promise.all(keys.map((key) => rig.get(key).told));
  rig.origin.gated = true;
  for (const key of keys) expect(rig.get(key).outcome).toEqual(hit(key));
  await settle();
  expect(rig.loader.statistics()).toMatchObject({ refreshes: REFRESHES_MAX, refreshesSkipped: 10 });
});

test('early: chance decides, and the nearer the end the likelier it is', async () => {
  const rig = await loaded({ early: 1 });
  // A load takes as long as this one: a second.
  const slow = rig.get('b');
  await rig.origin.called(2);
  rig.clock.advance(1_000);
  (await rig.origin.called(2)).open();
  await slow.told;
  await rig.row('c', 'one');
  let refreshedAtMs: number[] = [];
  for (let round = 0; round < 40; round++) {
    const before = rig.loader.statistics().refreshes;
    rig.origin.gated = false;
    await rig.read('c', ReadMode.fresh).told;
    rig.origin.gated = true;
    while (rig.loader.statistics().refreshes === before && rig.lifeMs('c') > 100) {
      rig.clock.advance(100);
      rig.get('c');
    }
    refreshedAtMs = [...refreshedAtMs, rig.lifeMs('c')];
    await settle();
    for (const call of rig.origin.calls) call.open();
    await settle();
  }
  const early = refreshedAtMs.filter((leftMs) => leftMs > 2_000).length;
  const late = refreshedAtMs.filter((leftMs) => leftMs <= 2_000).length;
  expect(early).toBeGreaterThan(0);
  expect(late).toBeGreaterThan(early);
  expect(Math.max(...refreshedAtMs)).toBeLessThan(9_900);
});

describe('listed keys', () => {
  test('are reloaded every interval, without a hit, and only where they are owned', async () => {
    const rig = await loaded({ interval: '1s', keys: ['a'], minHits: 1_000_000 }, { ttl: null });
    rig.origin.gated = false;
    rig.clock.advance(1_000);
    await settle();
    expect(rig.get('a').outcome).toEqual(hit('two'));
    expect(rig.loader.statistics()).toMatchObject({ refreshes: 1, hits: 1 });
    rig.memory.serves = () => false;
    rig.clock.advance(5_000);
    await settle();
    expect(rig.loader.statistics().refreshes).toBe(1);
    rig.loader.close();
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('are loaded also if they are missing, and left alone while a write of them is pending', async () => {
    const rig = new Rig({
      read: 'through',
      write: 'behind',
      writeBehind: { maxDelay: '30s' },
      ttl: '1m',
      refreshAhead: { interval: '1s', keys: ['a', 'b'] },
    });
    rig.origin.gated = false;
    await rig.row('b', 'loaded');
    rig.set('a', 'written');
    rig.clock.advance(1_000);
    await settle();
    expect(rig.get('b').outcome).toEqual(hit('loaded'));
    expect(rig.get('a').outcome).toEqual(hit('written'));
    expect(rig.origin.calls.map(({ keys }) => keys)).toEqual([['b']]);
    rig.loader.close();
  });
});

describe('a read that looks where its call says', () => {
  test('fresh: asks the database, stores what it says, and does not join a load that may have been answered before', async () => {
    const rig = await loaded(null);
    expect(rig.get('a').outcome).toEqual(hit('one'));
    const first = rig.read('a', ReadMode.fresh);
    const before = await rig.origin.called(2);
    await rig.row('a', 'three');
    const second = rig.read('a', ReadMode.fresh);
    before.open();
    expect(await first.told).toEqual({ value: 'two', from: 'origin' });
    expect(rig.get('a').outcome).toEqual(hit('one'));
    (await rig.origin.called(3)).open();
    expect(await second.told).toEqual(hit('three'));
    expect(rig.get('a').outcome).toEqual(hit('three'));
  });

  test('fresh: calls of one moment share one load', async () => {
    const rig = await loaded(null);
    const answers = Array.from({ length: 10 }, () => rig.read('a', ReadMode.fresh));
    const call = await rig.origin.called(2);
    expect(call.keys).toEqual(['a']);
    call.open();
    for (const answer of answers) expect(await answer.told).toEqual(hit('two'));
  });

  test('fresh: a database that is away is an error, whatever memory has', async () => {
    const rig = await loaded(null, { staleFor: '1m' });
    const answer = rig.read('a', ReadMode.fresh);
    (await rig.origin.called(2)).fail(AWAY);
    expect(failure(await answer.told)).toBe('ORIGIN_UNAVAILABLE');
    expect(rig.get('a').outcome).toEqual(hit('one'));
  });

  test('fresh: what the database does not have yet is answered as it is', () => {
    const rig = new Rig({ read: 'through', write: 'behind' });
    rig.set('a', 'pending');
    expect(rig.read('a', ReadMode.fresh).outcome).toEqual(hit('pending'));
    rig.delete('a');
    expect(rig.read('a', ReadMode.fresh).outcome).toBe('miss');
  });

  test('aside: a miss of a cache that loads is a miss', async () => {
    const rig = await loaded(null);
    expect(rig.read('a', ReadMode.aside).outcome).toEqual(hit('one'));
    expect(rig.read('b', ReadMode.aside).outcome).toBe('miss');
    expect(rig.origin.calls).toHaveLength(1);
  });

  test('through: a miss of a cache that does not load is loaded', async () => {
    const rig = new Rig({ read: 'aside', write: 'through' });
    rig.origin.gated = false;
    await rig.row('a', 'one');
    expect(rig.get('a').outcome).toBe('miss');
    expect(await rig.read('a', ReadMode.through).told).toEqual(hit('one'));
  });

  test('is refused where there is no database, and if nobody knows the word', () => {
    const rig = new Rig({});
    expect(message(rig.read('a', ReadMode.fresh).outcome)).toBe(
      "BAD_ARGUMENT: read is 'fresh', and cache 'things' has no origin; allowed is 'aside'",
    );
    expect(message(rig.read('a', ReadMode.through).outcome)).toContain("read is 'through'");
    expect(message(rig.read('a', 9).outcome)).toBe('BAD_ARGUMENT: operation.read is 9; allowed are 0 to 3');
  });
});

test('what is loaded after a take-over is stored at once if nobody can have written to the origin', async () => {
  for (const isReadOnly of [true, false]) {
    const origin = new GatedOrigin();
    Object.assign(origin, { isReadOnly, gated: false });
    const rig = new Rig({ read: 'through', write: 'memory' }, origin);
    await rig.row('a', 'one');
    rig.loader.takenOver(keySlice(Buffer.from('a')).partition, 0);
    await rig.get('a').told;
    expect(rig.get('a').isLater).toBe(!isReadOnly);
  }
});

test('a policy that changes is followed: keys are reloaded by the new list, and not by the old one', async () => {
  const rig = await loaded({ interval: '1s', keys: ['a'] });
  rig.origin.gated = false;
  await rig.row('b', 'other');
  const policy = { ...rig.loader.policy, staleForMs: 5_000 };
  rig.loader.setPolicy({ ...policy, refreshAhead: { ...policy.refreshAhead!, keys: ['b'], intervalMs: 2_000 } });
  rig.clock.advance(2_000);
  await settle();
  expect(rig.origin.calls.map(({ keys }) => keys)).toEqual([['a'], ['b']]);
  expect(rig.lifeMs('b')).toBe(10_000);
  rig.loader.setPolicy({ ...policy, refreshAhead: undefined });
  expect(rig.clock.pendingCount).toBe(0);
});
