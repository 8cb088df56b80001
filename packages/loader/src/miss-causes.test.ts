import { describe, expect, it } from 'vitest';
import { Rig, settle } from '../test/rig.js';
import type { LoaderStatistics } from './loader-statistics.js';

function causes(statistics: LoaderStatistics): Record<string, number> {
  const { missesCold, missesExpired, missesEvicted, missesInvalidated, missesMoved, missesLoadFailed } = statistics;
  const all = { missesCold, missesExpired, missesEvicted, missesInvalidated, missesMoved, missesLoadFailed };
  expect(Object.values(all).reduce((sum, count) => sum + count, 0)).toBe(statistics.misses);
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0));
}

describe('misses by cause', () => {
  it('of a plain cache: cold, expired, deleted; they add up to the misses', () => {
    const rig = new Rig({ ttl: 1000 });
    rig.get('a');
    rig.set('a', 'value');
    rig.get('a');
    rig.clock.advance(1001);
    rig.get('a');
    rig.set('a', 'value');
    rig.delete('a');
    rig.get('a');
    rig.get('a');
    const statistics = rig.loader.statistics();
    expect(statistics).toMatchObject({ hits: 1, misses: 4 });
    expect(causes(statistics)).toEqual({ missesCold: 1, missesExpired: 1, missesInvalidated: 2 });
  });

  it('a key whose load has failed is missed for that, until a load goes well', async () => {
    const rig = new Rig({ read: 'through', negativeTtl: null });
    rig.get('a');
    (await rig.origin.called(1)).fail(new Error('down'));
    await settle();
    rig.get('a');
    (await rig.origin.called(2)).open();
    await settle();
    rig.get('a');
    expect(causes(rig.loader.statistics())).toEqual({ missesCold: 2, missesLoadFailed: 1 });
    rig.loader.close();
  });

  it('all who wait for one load have the same cause', () => {
    const rig = new Rig({ read: 'through' });
    for (let caller = 0; caller < 3; caller++) rig.get('a');
    expect(causes(rig.loader.statistics())).toEqual({ missesCold: 3 });
    expect(rig.loader.statistics()).toMatchObject({ coalescedWaiters: 2 });
    rig.loader.close();
  });
});

describe('the origin is timed', () => {
  it('loads and writes, how long they took and how much they carried, failures included', async () => {
    const rig = new Rig({ read: 'through', write: 'through' });
    for (const key of ['a', 'b', 'c']) rig.get(key);
    const load = await rig.origin.called(1);
    rig.clock.advance(40);
    load.open();
    rig.set('a', 'value');
    const write = await rig.origin.called(2);
    rig.clock.advance(200);
    write.fail(new Error('down'));
    await settle();
    const { loadMs, loadKeys, writeMs, writeRows } = rig.loader.statistics();
    expect(loadMs).toMatchObject({ count: 1, max: 40 });
    expect(loadKeys).toMatchObject({ count: 1, max: 3 });
    expect(writeMs).toMatchObject({ count: 1, max: 200 });
    expect(writeRows).toMatchObject({ count: 1, p99: 1 });
    rig.loader.close();
  });

  it('a cache without an origin has nothing to tell', () => {
    const rig = new Rig({});
    expect(rig.loader.statistics()).toMatchObject({ loadMs: undefined, writeRows: undefined });
  });
});
