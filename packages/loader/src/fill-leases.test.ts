import { ManualClock, seededRandom } from '@larder/base';
import { keySlice, WriteMode } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { Answer } from '../test/answer.js';
import { MapMemory } from '../test/map-memory.js';
import { failure, message, Rig, settle } from '../test/rig.js';
import { FillLeases } from './fill-leases.js';
import { LoaderCounters } from './loader-statistics.js';
import { RecentInvalidations } from './tags/recent-invalidations.js';

const IN_MEMORY = { value: 'loaded', from: 'memory' };

describe('a miss of a cache whose application loads', () => {
  test('gives one caller a lease, and what it fills to all others', async () => {
    const rig = new Rig({ read: 'aside' });
    const lease = rig.leased('a', {});
    const others = Array.from({ length: 1_000 }, () => rig.lease('a', {}));
    await settle();
    expect(others.every(({ outcome }) => outcome === undefined)).toBe(true);
    expect(rig.fill('a', lease, 'loaded').outcome).toEqual({ written: { seq: 1, copies: 1 } });
    expect(await Promise.all(others.map(({ told }) => told))).toEqual(others.map(() => IN_MEMORY));
    expect(rig.lease('a').outcome).toEqual(IN_MEMORY);
    expect(rig.loader.statistics()).toMatchObject({ leases: 1, coalescedWaiters: 1_000, hits: 1, misses: 1_001 });
    rig.clock.advance(100);
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('tells a holder that asks again its own lease, so that its callers share one load', () => {
    const rig = new Rig({ read: 'aside' });
    const [one, other] = [{}, {}];
    const lease = rig.leased('a', one);
    expect(rig.leased('a', one)).toBe(lease);
    expect(rig.lease('a', other).outcome).toBeUndefined();
    expect(rig.leased('b', one)).not.toBe(lease);
  });

  test('whose load has failed gives the next of those who wait a lease at once', async () => {
    const rig = new Rig({ read: 'aside' });
    const lease = rig.leased('a', {});
    const [next, last] = [rig.lease('a', {}), rig.lease('a', {})];
    expect(rig.release('a', lease)).toBe(true);
    const again = (await next.told) as { leased: number };
    expect(again.leased).not.toBe(lease);
    expect(last.outcome).toBeUndefined();
    expect(rig.release('a', lease)).toBe(false);
    rig.fill('a', again.leased, 'loaded');
    expect(await last.told).toEqual(IN_MEMORY);
  });

  test('whose holder has gone gives the next of those who wait a lease, and the holder no answer that it could use', async () => {
    const rig = new Rig({ read: 'aside' });
    const gone = {};
    rig.leased('a', gone);
    const lease = rig.leased('b', {});
    const [next, ofGone] = [rig.lease('a', {}), rig.lease('b', gone)];
    rig.loader.releaseAll(gone);
    expect(await next.told).toHaveProperty('leased');
    rig.fill('b', lease, 'loaded');
    await settle();
    expect(ofGone.outcome).toBeUndefined();
  });

  test('is loaded by the next of those who wait when the lease has run out, and the late fill is refused', async () => {
    const rig = new Rig({ read: 'aside', leaseTimeout: '2s' });
    const lease = rig.leased('a', {});
    const next = rig.lease('a', {}, 60_000);
    rig.clock.advance(1_999);
    await settle();
    expect(next.outcome).toBeUndefined();
    rig.clock.advance(40);
    const again = (await next.told) as { leased: number };
    expect(rig.fill('a', lease, 'late').outcome).toBe('refused fill');
    expect(rig.get('a').outcome).toBe('miss');
    rig.fill('a', again.leased, 'loaded');
    expect(rig.get('a').outcome).toEqual(IN_MEMORY);
    expect(rig.loader.statistics()).toMatchObject({ leases: 2, leasesExpired: 1, refusedFills: 1 });
  });

  test('of a caller whose time is over is TIMEOUT, a little before it gives up by itself', async () => {
    const rig = new Rig({ read: 'aside' });
    rig.leased('a', {});
    const [hasty, patient] = [rig.lease('a', {}, 1_000), rig.lease('a', {}, 5_000)];
    rig.clock.advance(920);
    expect(failure(await hasty.told)).toBe('TIMEOUT');
    expect(message(hasty.outcome)).toBe(
      "TIMEOUT: cache 'things': another caller is loading the key, and has not finished within 1000 ms",
    );
    expect((hasty.outcome as { failed: object }).failed).toMatchObject({ details: { final: true } });
    expect(patient.outcome).toBeUndefined();
  });
});

describe('a lease fills nothing any more', () => {
  test.each([
    ['the key was set', (rig: Rig) => rig.set('a', 'newer'), { value: 'newer', from: 'memory' }],
    ['the key was deleted', (rig: Rig) => rig.delete('a'), 'miss'],
  ])('once %s', async (_when, write, seen) => {
    const rig = new Rig({ read: 'aside' });
    const lease = rig.leased('a', {});
    const waiter = rig.lease('a', {});
    write(rig);
    expect(rig.fill('a', lease, 'old').outcome).toBe('refused fill');
    expect(rig.get('a').outcome).toEqual(seen);
    if (seen === 'miss') expect(await waiter.told).toHaveProperty('leased');
    else expect(await waiter.told).toEqual(seen);
  });

  test('once the key belongs to another node, where those who wait are sent', async () => {
    const rig = new Rig({ read: 'aside' });
    const lease = rig.leased('a', {});
    const waiter = rig.lease('a', {});
    const { partition } = keySlice(Buffer.from('a'));
    rig.memory.away.add(partition);
    rig.loader.disown(partition);
    expect(failure(await waiter.told)).toBe('NOT_OWNER not-applied');
    rig.memory.away.delete(partition);
    expect(rig.fill('a', lease, 'old').outcome).toBe('refused fill');
  });

  test('that never was', () => {
    const rig = new Rig({ read: 'aside' });
    expect(rig.fill('a', 7, 'forged').outcome).toBe('refused fill');
    expect(rig.fill('a', 0, 'forged').outcome).toBe('refused fill');
  });

  test('while a write of the key to the database may still take effect', async () => {
    const rig = new Rig({ read: 'aside', write: 'through' });
    const set = rig.set('a', 'new');
    (await rig.origin.called(1)).applyLate(new Error('connection lost'));
    expect(failure(await set.told)).toBe('ORIGIN_UNAVAILABLE unknown');
    const lease = rig.leased('a');
    expect(rig.fill('a', lease, 'old').outcome).toBe('refused fill');
    rig.clock.advance(rig.origin.callMsMax);
    expect(rig.fill('a', lease, 'loaded').outcome).toHaveProperty('written');
  });

  test('of a key whose delete is not yet in the database', async () => {
    const rig = new Rig({ read: 'aside', write: 'behind' });
    rig.delete('a');
    expect(rig.fill('a', rig.leased('a'), 'old').outcome).toBe('refused fill');
  });
});

test('a fill is not written to the database that it came from', async () => {
  const rig = new Rig({ read: 'aside', write: 'through' });
  rig.fill('a', rig.leased('a'), 'loaded');
  await settle();
  expect(rig.get('a').outcome).toEqual(IN_MEMORY);
  expect(rig.origin.calls).toHaveLength(0);
});

test('a fill that is to be written is, and ends its lease when the database has it', async () => {
  const rig = new Rig({ read: 'aside', write: 'behind' });
  const filled = rig.fill('a', rig.leased('a', {}), 'made', WriteMode.through);
  const waiter = rig.lease('a', {});
  (await rig.origin.called(1)).open();
  expect(await filled.told).toHaveProperty('written');
  expect(await waiter.told).toEqual({ value: 'made', from: 'memory' });
  expect(rig.rowText('a')).toBe('made');
});

test('a cache that loads by itself grants no lease', async () => {
  const rig = new Rig({ read: 'through' });
  rig.origin.gated = false;
  expect(await rig.lease('a').told).toBe('miss');
});

test('beyond the bounds of leases and of those who wait it is BUSY', () => {
  const clock = new ManualClock();
  const memory = new MapMemory(clock);
  const counters = new LoaderCounters();
  const options = { name: 'things', leaseMs: 1_000, memory, clock, random: seededRandom(1), counters };
  const invalidations = new RecentInvalidations();
  const leases = new FillLeases({ ...options, invalidations, leasesMax: 1, waitingMax: 1 });
  const ask = (text: string): Answer => {
    const answer = new Answer(memory);
    leases.request(text, 0, answer, 1_000, {});
    return answer;
  };
  expect(ask('a').outcome).toHaveProperty('leased');
  expect(message(ask('b').outcome)).toBe("BUSY: cache 'things': 1 keys are being loaded by applications already");
  const waiting = ask('a');
  expect(message(ask('a').outcome)).toBe("BUSY: cache 'things': 1 gets wait for loads of other callers already");
  leases.close();
  expect(failure(waiting.outcome)).toBe('CLOSED');
  expect(clock.pendingCount).toBe(0);
});
