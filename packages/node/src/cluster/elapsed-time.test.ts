import { ManualClock } from '@larder/base';
import { expect, test } from 'vitest';
import { ElapsedTime } from './elapsed-time.js';

/** A machine that may sleep, which its monotonic clock does not count, and whose wall clock may be set. */
class Machine extends ManualClock {
  #wallAheadMs = 0;

  override wallMs(): number {
    return super.wallMs() + this.#wallAheadMs;
  }

  sleep(ms: number): void {
    this.#wallAheadMs += ms;
  }

  setBack(ms: number): void {
    this.#wallAheadMs -= ms;
  }
}

test('what is held has grown old by a sleep', () => {
  const machine = new Machine();
  const time = new ElapsedTime(machine);
  const since = time.mark();
  machine.advance(10);
  machine.sleep(1_000);
  expect(time.held(since)).toBe(1_010);
  expect(time.waited(since.monotonicMs)).toBe(10);
});

test('a wall clock that is set back does not make it younger, neither before the next tick nor after it', () => {
  const machine = new Machine();
  const time = new ElapsedTime(machine);
  const since = time.mark();
  machine.sleep(1_000);
  time.observe();
  machine.setBack(4_000);
  machine.advance(10);
  expect(time.held(since)).toBeGreaterThanOrEqual(1_000);
  time.observe();
  expect(time.held(since)).toBeGreaterThanOrEqual(1_010);
});

test('a wall clock that was set back shows the next sleep', () => {
  const machine = new Machine();
  const time = new ElapsedTime(machine);
  machine.setBack(4_000);
  time.observe();
  const since = time.mark();
  machine.sleep(1_000);
  expect(time.held(since)).toBe(1_000);
});
