import { keySlice } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { Rig, settle } from '../test/rig.js';

const { partition } = keySlice(Buffer.from('a'));
const forget = (rig: Rig): boolean => rig.loader.forget('a', partition);

describe('a row that somebody else has changed', () => {
  test('is loaded anew by the next reader, and one that was not there as well', async () => {
    const rig = new Rig({ read: 'through', negativeTtl: '1h' });
    rig.origin.gated = false;
    rig.get('a');
    await settle();
    await rig.row('a', 'new');
    expect(forget(rig)).toBe(true);
    expect(rig.get('a').isLater).toBe(true);
    await settle();
    expect(rig.get('a').outcome).toEqual({ value: 'new', from: 'memory' });
    await rig.row('a', 'newer');
    expect(forget(rig)).toBe(true);
    expect(rig.get('a').isLater).toBe(true);
  });

  test('is not what a load brings that began before', async () => {
    const rig = new Rig({ read: 'through' });
    await rig.row('a', 'old');
    rig.get('a');
    const load = await rig.origin.called(1);
    await rig.row('a', 'new');
    expect(forget(rig)).toBe(true);
    load.open();
    await settle();
    expect(rig.get('a').isLater).toBe(true);
  });

  test('stays while a write-behind of it is pending, and is forgotten once the database has that', async () => {
    const rig = new Rig({ read: 'through', write: 'behind', writeBehind: { maxDelay: '1s' } });
    rig.origin.gated = false;
    rig.set('a', 'ours');
    expect(forget(rig)).toBe(false);
    expect(rig.get('a').outcome).toEqual({ value: 'ours', from: 'memory' });
    rig.clock.advance(1_000);
    await settle();
    await rig.row('a', 'theirs');
    expect(forget(rig)).toBe(true);
    expect(rig.get('a').isLater).toBe(true);
  });

  test.each(['through', 'around'] as const)(
    'waits for the end of a write-%s of it that is under way',
    async (write) => {
      const rig = new Rig({ read: 'through', write });
      rig.set('a', 'ours');
      const statement = await rig.origin.called(1);
      expect(forget(rig)).toBe(false);
      statement.open();
      await settle();
      expect(forget(rig)).toBe(true);
      expect(rig.get('a').isLater).toBe(true);
    },
  );
});
