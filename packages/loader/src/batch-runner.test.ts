import { deferred, ManualClock } from '@larder/base';
import { describe, expect, test } from 'vitest';
import { settle } from '../test/rig.js';
import { BatchRunner } from './batch-runner.js';

/** Items are numbers of a queue; a batch takes them all and ends when the test says so. */
class Bench {
  readonly clock = new ManualClock();
  readonly batches: { readonly size: number; end(): void }[] = [];
  readonly runner: BatchRunner;
  queued = 0;

  constructor(statementsMax: number, gathers = true) {
    const takeBatch = (): Promise<void> | undefined => {
      if (this.queued === 0) return undefined;
      const { promise, resolve } = deferred();
      this.batches.push({ size: this.queued, end: () => resolve() });
      this.queued = 0;
      return promise;
    };
    const waiting = { waiting: () => this.queued };
    this.runner = new BatchRunner({ statementsMax, clock: this.clock, takeBatch, ...(gathers ? waiting : {}) });
  }

  async add(count: number): Promise<void> {
    for (let item = 0; item < count; item++) {
      this.queued++;
      this.runner.wake();
    }
    await settle();
  }

  get sizes(): number[] {
    return this.batches.map(({ size }) => size);
  }
}

describe('a batch', () => {
  test('leaves at the end of the turn when no statement is in flight', async () => {
    const bench = new Bench(4);
    await bench.add(3);
    expect(bench.sizes).toEqual([3]);
    bench.batches[0]?.end();
    await settle();
    await bench.add(2);
    expect(bench.sizes).toEqual([3, 2]);
    expect(bench.clock.pendingCount).toBe(0);
  });

  test('waits while each turn brings more of many', async () => {
    const bench = new Bench(4);
    for (let slice = 0; slice < 3; slice++) {
      for (let item = 0; item < 80; item++) {
        bench.queued++;
        bench.runner.wake();
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await settle();
    expect(bench.sizes).toEqual([240]);
  });

  test('gathers for a millisecond beside a statement in flight', async () => {
    const bench = new Bench(4);
    await bench.add(1);
    await bench.add(2);
    await bench.add(3);
    expect(bench.sizes).toEqual([1]);
    bench.clock.advance(1);
    expect(bench.sizes).toEqual([1, 5]);
    await bench.add(1);
    expect(bench.sizes).toEqual([1, 5]);
    bench.clock.advance(1);
    expect(bench.sizes).toEqual([1, 5, 1]);
  });

  test('leaves at once when the last statement in flight ends', async () => {
    const bench = new Bench(4);
    await bench.add(1);
    await bench.add(2);
    bench.batches[0]?.end();
    await settle();
    expect(bench.sizes).toEqual([1, 2]);
    expect(bench.clock.pendingCount).toBe(0);
  });

  test('leaves at once when 256 wait', async () => {
    const bench = new Bench(4);
    await bench.add(1);
    await bench.add(255);
    expect(bench.sizes).toEqual([1]);
    await bench.add(1);
    expect(bench.sizes).toEqual([1, 256]);
  });

  test('waits for a free slot, however long it has gathered, and then leaves at once', async () => {
    const bench = new Bench(2);
    await bench.add(1);
    await bench.add(1);
    bench.clock.advance(1);
    await bench.add(300);
    bench.clock.advance(10);
    await bench.add(1);
    expect(bench.sizes).toEqual([1, 1]);
    bench.batches[0]?.end();
    await settle();
    expect(bench.sizes).toEqual([1, 1, 301]);
  });

  test('of a runner that does not gather leaves as soon as there is a slot', async () => {
    const bench = new Bench(2, false);
    await bench.add(1);
    await bench.add(1);
    await bench.add(1);
    expect(bench.sizes).toEqual([1, 1]);
    bench.batches[1]?.end();
    await settle();
    expect(bench.sizes).toEqual([1, 1, 1]);
    expect(bench.clock.pendingCount).toBe(0);
  });
});
