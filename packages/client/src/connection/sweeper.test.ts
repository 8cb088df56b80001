import type { Clock, Timer } from '@larder/base';
import { expect, test } from 'vitest';
import { Sweeper } from './sweeper.js';

/** Its timer rings when the test says so, however late. */
class LateClock implements Clock {
  nowMs = 0;
  held = 0;
  ring: (() => void) | undefined;

  monotonicMs(): number {
    return this.nowMs;
  }
  wallMs(): number {
    return this.nowMs;
  }
  after(): Timer {
    throw new Error('not used');
  }
  every(_periodMs: number, callback: () => void): Timer {
    this.ring = callback;
    const timer: Timer = {
      cancel: () => {
        this.ring = undefined;
      },
      hold: () => {
        this.held++;
        return timer;
      },
    };
    return timer;
  }
  ringAt(nowMs: number): void {
    this.nowMs = nowMs;
    this.ring?.();
  }
}

test('it sweeps while there is something, holding the process, and stops afterwards', () => {
  const clock = new LateClock();
  const sweeps: number[] = [];
  const sweeper = new Sweeper(clock, 20, (nowMs) => sweeps.push(nowMs) < 2);
  sweeper.start();
  sweeper.start();
  expect(clock.held).toBe(1);
  clock.ringAt(20);
  clock.ringAt(40);
  expect(sweeps).toEqual([20, 40]);
  expect(sweeper.isRunning).toBe(false);
  expect(clock.ring).toBeUndefined();
});

test('a sweep that comes far too late is skipped, once: answers in the socket are read first', () => {
  const clock = new LateClock();
  const sweeps: number[] = [];
  const sweeper = new Sweeper(clock, 20, (nowMs) => sweeps.push(nowMs) > 0);
  sweeper.start();
  clock.ringAt(1_500);
  expect(sweeps).toEqual([]);
  clock.ringAt(3_000);
  clock.ringAt(3_020);
  expect(sweeps).toEqual([3_000, 3_020]);
});
