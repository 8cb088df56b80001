import { ManualClock } from '@larder/base';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Holdings } from './holdings.js';
import { SyncPump } from './sync-pump.js';

describe('sync pump', () => {
  let clock: ManualClock;
  let pump: SyncPump;
  let fills: number;
  const replicator = { isFilling: true, fill: () => fills++ };

  beforeEach(() => {
    clock = new ManualClock();
    fills = 0;
    replicator.isFilling = true;
    const holdings = { replicators: () => [replicator] } as unknown as Holdings;
    pump = new SyncPump({ options: { clock, syncBytesPerSecond: 1_000_000 }, holdings, flush: () => {} });
  });

  it('goes on in steps of 5 ms as long as something is being filled, however often it is started', () => {
    pump.start();
    pump.start();
    clock.advance(20);
    expect(fills).toBe(4);
    replicator.isFilling = false;
    clock.advance(1_000);
    expect(fills).toBe(4);
    replicator.isFilling = true;
    pump.start();
    clock.advance(5);
    expect(fills).toBe(5);
  });

  it('gives each step its share of the bytes, saves none, and takes off what was too much', () => {
    pump.start();
    clock.advance(50);
    expect(pump.bytesLeft).toBe(5_000);
    pump.bytesLeft = -12_000;
    clock.advance(10);
    expect(pump.bytesLeft).toBe(-2_000);
  });

  it('stops with its member', () => {
    pump.start();
    pump.stop();
    clock.advance(50);
    expect(fills).toBe(0);
  });
});
