import { Acknowledgement, OperationKind } from '@larder/proto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Call } from './call.js';
import { Slots } from './slots.js';
import { WaitingCalls } from './waiting-calls.js';

function call(key = 'key'): Call {
  const answer = { read: () => undefined };
  return new Call(
    { handle: 0, name: 'c' },
    OperationKind.get,
    key,
    undefined,
    -1,
    0,
    answer,
    Acknowledgement.replicated,
    undefined,
    () => {},
    () => {},
  );
}

describe('slots', () => {
  test('an id belongs to one call at a time, whatever the order of taking and releasing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (steps) => {
        const slots = new Slots(16);
        const taken = new Map<number, Call>();
        for (const step of steps) {
          if (step < 12) {
            const one = call();
            const id = slots.take(one);
            if (taken.size === 16) expect(id).toBe(-1);
            else {
              expect(taken.has(id)).toBe(false);
              taken.set(id, one);
            }
          } else {
            const known = taken.get(step - 12);
            expect(slots.release(step - 12)).toBe(known);
            taken.delete(step - 12);
          }
          expect(slots.used).toBe(taken.size);
        }
        expect(new Set(slots.releaseAll())).toEqual(new Set(taken.values()));
        expect(slots.used).toBe(0);
      }),
    );
  });

  test('they grow up to their bound, ids stay small, and unknown ids are nobody', () => {
    const slots = new Slots(5_000);
    const ids = Array.from({ length: 5_000 }, () => slots.take(call()));
    expect(new Set(ids).size).toBe(5_000);
    expect(Math.max(...ids)).toBe(4_999);
    expect(slots.take(call())).toBe(-1);
    for (const id of [-1, 5_000, 0xffffffff, 1.5, Number.NaN]) expect(slots.release(id)).toBeUndefined();
    slots.releaseAll();
    expect(slots.take(call())).toBe(0);
  });

  test('calls that were given up are in use and not waited for', () => {
    const slots = new Slots(8);
    const given = call();
    slots.take(given);
    slots.take(call());
    given.resolve(undefined);
    expect([slots.used, slots.unsettled]).toEqual([2, 1]);
  });
});

test('waiting calls keep their order whoever leaves', () => {
  const waiting = new WaitingCalls(4);
  const calls = ['a', 'b', 'c', 'd'].map(call);
  for (const one of calls) expect(waiting.push(one)).toBe(true);
  expect(waiting.push(call('e'))).toBe(false);
  waiting.removeIf(({ key }) => key === 'b');
  expect(waiting.peek()?.key).toBe('a');
  expect(waiting.shift()?.key).toBe('a');
  expect(waiting.takeAll().map(({ key }) => key)).toEqual(['c', 'd']);
  expect(waiting.length).toBe(0);
});
