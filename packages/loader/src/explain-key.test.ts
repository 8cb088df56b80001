import { keySlice } from '@larder/proto';
import { describe, expect, it } from 'vitest';
import { Rig, settle } from '../test/rig.js';
import type { KeyExplanation } from './explain-key.js';

function explained(rig: Rig, key: string): KeyExplanation {
  return rig.loader.explain(keySlice(Buffer.from(key)));
}

describe('explain', () => {
  it('a load that is under way, with those who wait for it; then when it was and how it ended', async () => {
    const rig = new Rig({ read: 'through', ttl: '10s' });
    await rig.row('a', 'value');
    rig.get('a');
    rig.get('a');
    expect(explained(rig, 'a')).toMatchObject({ state: 'absent', isLoading: true, waiting: 2, lastLoad: undefined });
    const load = await rig.origin.called(1);
    rig.clock.advance(30);
    load.open();
    await settle();
    rig.clock.advance(4_000);
    expect(explained(rig, 'a')).toMatchObject({
      ...{ state: 'present', epoch: 1, seq: 1, valueBytes: 5, remainingMs: 6_000, isLoading: false, missCause: 'cold' },
      ...{ age: { ageMs: 4_000, from: 'load' }, lastLoad: { agoMs: 4_000, tookMs: 30, outcome: 'found' } },
    });
    rig.loader.close();
  });

  it('a load that failed is why the key is not there', async () => {
    const rig = new Rig({ read: 'through' });
    rig.get('a');
    (await rig.origin.called(1)).fail(new Error('down'));
    await settle();
    expect(explained(rig, 'a')).toMatchObject({
      ...{ state: 'absent', missCause: 'loadFailed', lastLoad: { outcome: 'failed' }, age: undefined },
    });
    rig.loader.close();
  });

  it('of what was set the age is at most what its ttl says, and not known without one', () => {
    const rig = new Rig({ ttl: '10s', jitter: 0 });
    rig.set('a', 'value');
    rig.set('b', 'value', 60_000);
    rig.set('c', 'value', 0);
    rig.clock.advance(1_000);
    expect(explained(rig, 'a').age).toEqual({ ageMs: 1_000, from: 'ttl' });
    expect(explained(rig, 'b').age).toBeUndefined();
    expect(explained(rig, 'c')).toMatchObject({ age: undefined, remainingMs: -1 });
  });

  it('a dirty entry is younger than the last write that the origin has had', async () => {
    const rig = new Rig({ write: 'behind', read: 'through', writeBehind: { maxDelay: '1s' } });
    rig.origin.gated = false;
    rig.set('a', 'one');
    rig.clock.advance(1_000);
    await settle();
    rig.clock.advance(500);
    expect(explained(rig, 'a')).toMatchObject({ isDirty: false, age: { ageMs: 500, from: 'write' } });
    rig.set('a', 'two');
    expect(explained(rig, 'a')).toMatchObject({
      isDirty: true,
      age: { from: 'ttl' },
      lastWrite: { outcome: 'written' },
    });
    rig.loader.close();
  });
});
