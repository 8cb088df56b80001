import { ManualClock } from '@larder/base';
import { beforeEach, describe, expect, it } from 'vitest';
import { ElapsedTime } from './elapsed-time.js';
import { PairLeases } from './pair-leases.js';
import { sampleMember, sampleView } from './sample-view.js';

/** A clock whose wall time can jump. */
class JumpingClock extends ManualClock {
  jumpedMs = 0;
  override wallMs(): number {
    return super.wallMs() + this.jumpedMs;
  }
}

const view = sampleView();
const peer = sampleMember('b').incarnation;

describe('pair leases', () => {
  let clock: JumpingClock;
  let leases: PairLeases;
  beforeEach(() => {
    clock = new JumpingClock();
    leases = new PairLeases(new ElapsedTime(clock));
    leases.follow(view);
  });

  it('count from the time when the heartbeat left, not from its answer', () => {
    const sent = leases.time.mark();
    clock.advance(300);
    leases.granted(peer, sent, 7, 7);
    expect(leases.heldForMs(peer)).toBe(300);
  });

  it('do not count when granted under a view that the holder does not have', () => {
    for (const checksVersion of [true, false]) {
      leases = new PairLeases(new ElapsedTime(clock), checksVersion);
      leases.follow(view);
      leases.granted(peer, leases.time.mark(), 8, 7);
      expect(leases.heldForMs(peer)).toBe(checksVersion ? Number.POSITIVE_INFINITY : 0);
    }
  });

  it('do not grow young by an answer that comes late or twice', () => {
    const first = leases.time.mark();
    clock.advance(100);
    leases.granted(peer, leases.time.mark(), 7, 7);
    leases.granted(peer, first, 7, 7);
    expect(leases.heldForMs(peer)).toBe(0);
  });

  it('believe no answer to a heartbeat that has not been sent yet', () => {
    leases.granted(peer, { monotonicMs: 9_999, wallMs: 9_999 }, 7, 7);
    expect(leases.heldForMs(peer)).toBe(Number.POSITIVE_INFINITY);
  });

  it('end for the holder when the wall clock says that the machine slept', () => {
    leases.granted(peer, leases.time.mark(), 7, 7);
    clock.jumpedMs = 60_000;
    expect(leases.heldForMs(peer)).toBe(60_000);
  });

  it('end for the holder also when its wall clock was set back before the machine slept', () => {
    leases.granted(peer, leases.time.mark(), 7, 7);
    clock.advance(50);
    clock.jumpedMs = -60_000;
    leases.time.observe();
    clock.advance(50);
    clock.jumpedMs += 5_000;
    expect(leases.heldForMs(peer)).toBe(5_100);
  });

  it('do not grow old when the wall clock is set back, nor by its rounding', () => {
    leases.granted(peer, leases.time.mark(), 7, 7);
    for (let tick = 0; tick < 10; tick++) {
      clock.jumpedMs = tick % 2 === 0 ? 1 : -1;
      clock.advance(50);
      leases.time.observe();
    }
    clock.jumpedMs -= 60_000;
    leases.time.observe();
    expect(leases.heldForMs(peer)).toBeLessThanOrEqual(501);
  });

  it('do not end sooner for the granter when its wall clock jumps', () => {
    leases.heard(peer);
    clock.jumpedMs = 60_000;
    expect(leases.silentMs(peer)).toBe(0);
  });

  it('are granted only to incarnations that the view lists', () => {
    expect(leases.grant(peer)).toBe(true);
    expect(leases.grant('ff'.repeat(16))).toBe(false);
    leases.follow(sampleView({ members: [sampleMember('a')] }));
    expect(leases.grant(peer)).toBe(false);
  });

  it('are not granted to a peer that hears nothing, which is out of touch though it can be heard', () => {
    expect(leases.grant(peer)).toBe(true);
    leases.hears(peer, false);
    clock.advance(200);
    leases.heard(peer);
    expect(leases.grant(peer)).toBe(false);
    expect([leases.silentMs(peer), leases.outOfTouchMs(peer)]).toEqual([0, 200]);
    leases.hears(peer, true);
    expect(leases.grant(peer)).toBe(true);
    expect([leases.silentMs(peer), leases.outOfTouchMs(peer)]).toEqual([0, 0]);
  });

  it('forgive silence but lengthen no lease when the process itself stood still', () => {
    leases.granted(peer, leases.time.mark(), 7, 7);
    clock.advance(5_000);
    leases.forgive();
    expect(leases.silentMs(peer)).toBe(0);
    expect(leases.outOfTouchMs(peer)).toBe(0);
    expect(leases.unansweredMs(peer)).toBe(0);
    expect(leases.heldForMs(peer)).toBe(5_000);
  });
});
