import { describe, expect, it } from 'vitest';
import { PendingWindow, PendingWrite } from './pending-window.js';
import { recordOf } from './record.js';

const write = (seq: number): PendingWrite =>
  new PendingWrite(
    recordOf({
      epoch: 1,
      seq,
      cache: 0,
      key: Buffer.from('key'),
      value: undefined,
      ttlMs: 0,
      flags: 0,
      request: undefined,
      result: 0,
    }),
    0,
  );

describe('pending window', () => {
  it('finds each write by its seq, and none before the oldest or behind the youngest', () => {
    const window = new PendingWindow(10, { bytes: 0 });
    const writes = [11, 12, 13, 14].map(write);
    for (const one of writes) window.push(one);
    expect([10, 11, 12, 13, 14, 15].map((seq) => window.at(seq))).toEqual([undefined, ...writes, undefined]);
    expect(writes.map(({ next }) => next)).toEqual([...writes.slice(1), undefined]);
    window.shift();
    expect([11, 12, 14].map((seq) => window.at(seq))).toEqual([undefined, writes[1], writes[3]]);
  });

  it('goes on with the next seq when it was emptied, or when one was skipped', () => {
    const budget = { bytes: 0 };
    const window = new PendingWindow(0, budget);
    window.push(write(1));
    expect(budget.bytes).toBeGreaterThan(0);
    expect(window.shift().seq).toBe(1);
    expect(budget.bytes).toBe(0);
    expect(window.skip()).toBe(2);
    expect(() => window.push(write(2))).toThrow('another seq');
    const third = write(3);
    window.push(third);
    expect(() => window.skip()).toThrow('among pending writes');
    expect([window.length, window.nextSeq, window.at(3)]).toEqual([1, 4, third]);
  });
});
