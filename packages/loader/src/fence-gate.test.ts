import { keySlice, LarderError } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { GatedOrigin } from '../test/gated-origin.js';
import { failure, message, Rig, settle } from '../test/rig.js';
import type { CachePolicy } from './policy.js';

/** Two keys of different partitions. */
const A = keySlice(Buffer.from('a')).partition;
const B = keySlice(Buffer.from('b')).partition;

const DOWN = new Error('connection refused');
const FENCED = new LarderError('ORIGIN_UNAVAILABLE', 'fenced off', {
  outcome: 'not-applied',
  details: { fenced: true },
});

function fenced(policy: CachePolicy) {
  const origin = GatedOrigin.fenced();
  origin.gated = false;
  const rig = new Rig({ read: 'through', ...policy }, origin);
  return { rig, origin, fence: origin.fence };
}

const BEHIND: CachePolicy = { write: 'behind', writeBehind: { maxDelay: 10, maxAge: '1h' } };

describe('after a partition was taken over', () => {
  test('its flushes wait until the owners before are fenced off, and those of other partitions do not', async () => {
    const { rig, fence } = fenced(BEHIND);
    rig.loader.takenOver(A, 0);
    rig.set('a', 'one');
    rig.set('b', 'one');
    rig.clock.advance(10);
    await settle();
    expect([rig.rowText('a'), rig.rowText('b')]).toEqual([undefined, 'one']);
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 1, oldestPendingMs: 10 });
    fence.raises[0]?.succeed();
    await settle();
    expect(rig.rowText('a')).toBe('one');
    expect(rig.loader.statistics().pendingWrites).toBe(0);
    expect(fence.raises).toHaveLength(1);
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('its write-through waits as well', async () => {
    const { rig, origin, fence } = fenced({ write: 'through' });
    rig.loader.takenOver(A, 0);
    const [first, second] = [rig.set('a', 'one'), rig.set('b', 'one')];
    expect(await second.told).toHaveProperty('written');
    expect(first.outcome).toBeUndefined();
    fence.raises[0]?.succeed();
    expect(await first.told).toHaveProperty('written');
    expect(origin.calls.map(({ keys }) => keys)).toEqual([['b'], ['a']]);
  });

  test('hundreds of partitions of one turn are one raise; one that comes during a raise needs another', async () => {
    const { rig, fence } = fenced(BEHIND);
    for (let partition = 0; partition < 500; partition++) rig.loader.takenOver(partition, 0);
    await settle();
    expect(fence.raises).toHaveLength(1);
    rig.loader.takenOver(A, 0);
    rig.set('a', 'one');
    rig.clock.advance(10);
    fence.raises[0]?.succeed();
    await settle();
    expect(fence.raises).toHaveLength(2);
    expect(rig.rowText('a')).toBeUndefined();
    fence.raises[1]?.succeed();
    await settle();
    expect(rig.rowText('a')).toBe('one');
  });

  test('a raise that fails is tried again, flushes wait on, and write-through callers are told', async () => {
    const { rig, fence } = fenced(BEHIND);
    rig.loader.takenOver(A, 0);
    rig.set('a', 'one');
    const through = rig.setBy('through', 'c', 'one');
    const C = keySlice(Buffer.from('c')).partition;
    rig.loader.takenOver(C, 0);
    rig.clock.advance(10);
    await settle();
    fence.raises[0]?.fail(DOWN);
    expect(failure(await through.told)).toBe('ORIGIN_UNAVAILABLE not-applied');
    expect(message(through.outcome)).toContain('fenced off');
    expect(rig.memory.heldCount).toBe(0);
    rig.clock.advance(200);
    await settle();
    expect(rig.rowText('a')).toBeUndefined();
    fence.raises[1]?.succeed();
    await settle();
    expect(rig.rowText('a')).toBe('one');
  });

  test('what is loaded is kept only once they are fenced off, and nothing of a load that began before', async () => {
    const { rig, origin, fence } = fenced(BEHIND);
    await rig.row('a', 'old');
    rig.loader.takenOver(A, 0);
    await settle();
    expect(await rig.get('a').told).toEqual({ value: 'old', from: 'origin' });
    origin.gated = true;
    const early = rig.get('a');
    const load = await origin.called(2);
    fence.raises[0]?.succeed();
    await settle();
    load.open();
    expect(await early.told).toEqual({ value: 'old', from: 'origin' });
    origin.gated = false;
    await rig.get('a').told;
    expect(rig.get('a').outcome).toEqual({ value: 'old', from: 'memory' });
  });

  test('which goes again before the raise has ended, nothing of it is written', async () => {
    const { rig, origin, fence } = fenced(BEHIND);
    rig.loader.takenOver(A, 0);
    rig.set('a', 'one');
    const through = rig.setBy('through', 'b', 'one');
    rig.loader.takenOver(B, 0);
    rig.clock.advance(10);
    await settle();
    for (const partition of [A, B]) {
      rig.memory.away.add(partition);
      rig.loader.disown(partition);
    }
    expect(failure(await through.told)).toMatch(/not-applied$/);
    fence.raises[0]?.succeed();
    await settle();
    expect(origin.calls).toHaveLength(0);
    expect(rig.loader.statistics().pendingWrites).toBe(0);
  });

  test('no raise begins while the owner before may still begin statements, because that would go on', async () => {
    const { rig, fence } = fenced(BEHIND);
    rig.loader.takenOver(A, 500);
    rig.loader.takenOver(B, 200);
    rig.set('a', 'one');
    rig.set('b', 'one');
    await settle();
    rig.clock.advance(199);
    await settle();
    expect(fence.raises).toHaveLength(0);
    rig.clock.advance(1);
    await settle();
    fence.raises[0]?.succeed();
    await settle();
    expect([rig.rowText('a'), rig.rowText('b')]).toEqual([undefined, 'one']);
    rig.clock.advance(300);
    await settle();
    fence.raises[1]?.succeed();
    await settle();
    expect(rig.rowText('a')).toBe('one');
  });

  test('a loader that closes stops trying', async () => {
    const { rig, fence } = fenced(BEHIND);
    rig.loader.takenOver(A, 0);
    await settle();
    fence.raises[0]?.fail(DOWN);
    await settle();
    rig.loader.close();
    expect(rig.clock.pendingCount).toBe(0);
  });
});

describe('a node that was fenced off', () => {
  test('flushes the rows that are still its own again, and the others never', async () => {
    const { rig, origin } = fenced(BEHIND);
    origin.gated = true;
    rig.set('a', 'one');
    rig.set('b', 'zombie');
    rig.clock.advance(10);
    const both = await origin.called(1);
    rig.memory.away.add(B);
    rig.loader.disown(B);
    await rig.row('b', 'the new owner wrote this');
    both.fail(FENCED);
    await settle();
    rig.clock.advance(10);
    (await origin.called(2)).open();
    await settle();
    expect(origin.calls.map(({ keys }) => keys)).toEqual([['a', 'b'], ['a']]);
    expect([rig.rowText('a'), rig.rowText('b')]).toEqual(['one', 'the new owner wrote this']);
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 0, writeFailures: 0, fencedStatements: 1 });
  });

  test('writes through again what is still its own, and tells the others who owns their keys', async () => {
    const { rig, origin } = fenced({ write: 'through' });
    origin.gated = true;
    const [kept, lost] = [rig.set('a', 'one'), rig.set('b', 'zombie')];
    const both = await origin.called(1);
    rig.memory.away.add(B);
    both.fail(FENCED);
    expect(failure(await lost.told)).toBe('NOT_OWNER not-applied');
    (await origin.called(2)).open();
    expect(await kept.told).toHaveProperty('written');
    expect(origin.calls.map(({ keys }) => keys)).toEqual([['a', 'b'], ['a']]);
    expect(rig.rowText('b')).toBeUndefined();
  });
});
