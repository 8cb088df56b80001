import { describe, expect, test } from 'vitest';
import { failure, Rig } from '../../test/rig.js';

describe('write-around', () => {
  test('writes the origin only; the entry is forgotten and the next get loads it', async () => {
    const rig = new Rig({ read: 'through', write: 'around' });
    rig.origin.gated = false;
    await rig.row('a', 'old');
    await rig.get('a').told;
    expect(await rig.set('a', 'new').told).toEqual({ written: { seq: 0, copies: 0 } });
    const next = rig.get('a');
    expect(next.isLater).toBe(true);
    expect(await next.told).toEqual({ value: 'new', from: 'memory' });
  });

  test('a load that began before the write does not bring the old value back', async () => {
    const rig = new Rig({ read: 'through', write: 'around' });
    await rig.row('a', 'old');
    const early = rig.get('a');
    const load = await rig.origin.called(1);
    const written = rig.set('a', 'new');
    (await rig.origin.called(2)).open();
    await written.told;
    load.open();
    expect(await early.told).toEqual({ value: 'old', from: 'origin' });
    const late = rig.get('a');
    (await rig.origin.called(3)).open();
    expect(await late.told).toEqual({ value: 'new', from: 'memory' });
  });

  test('with invalidate: false leaves a cached value alone', async () => {
    const rig = new Rig({ read: 'through', write: 'around', invalidate: false });
    rig.origin.gated = false;
    await rig.row('a', 'old');
    await rig.get('a').told;
    await rig.set('a', 'new').told;
    expect(rig.get('a').outcome).toEqual({ value: 'old', from: 'memory' });
    expect(rig.rowText('a')).toBe('new');
  });

  test('with invalidate: false still forgets that there was no such row', async () => {
    const rig = new Rig({ read: 'through', write: 'around', invalidate: false });
    rig.origin.gated = false;
    expect(await rig.get('a').told).toBe('miss');
    await rig.set('a', 'new').told;
    expect(await rig.get('a').told).toEqual({ value: 'new', from: 'memory' });
  });

  test('a delete always forgets the entry', async () => {
    const rig = new Rig({ read: 'through', write: 'around', invalidate: false });
    rig.origin.gated = false;
    await rig.row('a', 'old');
    await rig.get('a').told;
    expect(await rig.delete('a').told).toEqual({ found: true });
    expect(await rig.get('a').told).toBe('miss');
  });

  test('after a write with unknown outcome the entry is forgotten', async () => {
    const rig = new Rig({ read: 'through', write: 'around', invalidate: false });
    await rig.row('a', 'old');
    const first = rig.get('a');
    (await rig.origin.called(1)).open();
    await first.told;
    const written = rig.set('a', 'new');
    (await rig.origin.called(2)).loseAnswer(new Error('connection reset'));
    expect(failure(await written.told)).toBe('ORIGIN_UNAVAILABLE unknown');
    const next = rig.get('a');
    (await rig.origin.called(3)).open();
    expect(await next.told).toEqual({ value: 'new', from: 'origin' });
  });
});
