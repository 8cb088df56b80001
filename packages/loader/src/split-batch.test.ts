import { LarderError } from '@larder/proto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitBatch } from './split-batch.js';

interface Told {
  readonly done: number[];
  readonly failed: Map<number, LarderError>;
  attempts: number;
}

/** Runs a batch of numbers; what is `poison` fails the attempt that holds it, and attempt number `downAt` finds nobody. */
async function run(
  items: readonly number[],
  poison: ReadonlySet<number>,
  downAt = Number.POSITIVE_INFINITY,
): Promise<Told> {
  const told: Told = { done: [], failed: new Map(), attempts: 0 };
  const attempt = async (part: readonly number[]): Promise<void> => {
    if (++told.attempts === downAt) throw new Error('connection reset');
    const first = part.find((item) => poison.has(item));
    if (first !== undefined) throw new LarderError('ORIGIN', `no ${first}`, { outcome: 'not-applied' });
  };
  await splitBatch(items, 'unknown', attempt, {
    done: (part) => told.done.push(...part),
    failed(part, error) {
      for (const item of part) told.failed.set(item, error);
    },
  });
  return told;
}

describe('splitBatch', () => {
  test('lets exactly the poison items fail, in at most 2n - 1 attempts, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.integer({ min: 0, max: 199 }), { maxLength: 10 }),
        async (size, chosen) => {
          const items = Array.from({ length: size }, (_, item) => item);
          const poison = new Set(chosen);
          const { done, failed, attempts } = await run(items, poison);
          expect(done).toEqual(items.filter((item) => !poison.has(item)));
          expect([...failed.keys()]).toEqual(items.filter((item) => poison.has(item)));
          expect(attempts).toBeLessThanOrEqual(2 * size - 1);
        },
      ),
    );
  });

  test('finds one poison item in a thousand with about thirty attempts', async () => {
    const items = Array.from({ length: 1000 }, (_, item) => item);
    expect((await run(items, new Set([617]))).attempts).toBeLessThanOrEqual(32);
  });

  test('answers every item once, also when the origin goes down on the way, and then tries nothing more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 30 }), async (size, downAt) => {
        const items = Array.from({ length: size }, (_, item) => item);
        const { done, failed, attempts } = await run(items, new Set([3, 17]), downAt);
        expect([...done, ...failed.keys()].sort((a, b) => a - b)).toEqual(items);
        expect(attempts).toBeLessThanOrEqual(downAt);
      }),
    );
  });

  test('gives up after 256 attempts: what is left was not tried', async () => {
    const items = Array.from({ length: 1000 }, (_, item) => item);
    const { done, failed, attempts } = await run(items, new Set(items.filter((item) => item % 3 === 0)));
    expect(attempts).toBe(256);
    expect([...done, ...failed.keys()].sort((a, b) => a - b)).toEqual(items);
    const left = [...failed.values()].filter(({ code }) => code === 'BUSY');
    expect(left.length).toBeGreaterThan(500);
    expect(new Set(left.map(({ outcome }) => outcome))).toEqual(new Set(['not-applied']));
  });

  test('tells what was in flight when the origin went down from what was never sent', async () => {
    const { failed } = await run([0, 1, 2, 3], new Set([0]), 3);
    expect([...failed].map(([item, { code, outcome }]) => `${item} ${code} ${outcome}`)).toEqual([
      '0 ORIGIN_UNAVAILABLE unknown',
      '1 ORIGIN_UNAVAILABLE not-applied',
      '2 ORIGIN_UNAVAILABLE not-applied',
      '3 ORIGIN_UNAVAILABLE not-applied',
    ]);
  });

  test('does not split for a statement that would fail for every row', async () => {
    const error = new LarderError('ORIGIN', 'permission denied', {
      outcome: 'not-applied',
      details: { blames: 'statement' },
    });
    let attempts = 0;
    const failed: number[] = [];
    const attempt = async (): Promise<void> => {
      attempts++;
      throw error;
    };
    await splitBatch([1, 2, 3], 'unknown', attempt, { done: () => {}, failed: (part) => failed.push(...part) });
    expect([attempts, failed]).toEqual([1, [1, 2, 3]]);
  });
});

test('cuts a batch where its failures name an item, and finds the others all the same where the name is missing or wrong', async () => {
  const items = Array.from({ length: 1_000 }, (_, item) => item);
  const failed: number[] = [];
  let attempts = 0;
  const attempt = async (part: readonly number[]): Promise<void> => {
    attempts++;
    const first = part.find((item) => item % 100 === 7);
    // One failure in three says nothing, one names the wrong item.
    const row = [first, undefined, part[0]][attempts % 3];
    if (first !== undefined) throw new LarderError('ORIGIN', 'no', { outcome: 'not-applied', details: { row } });
  };
  await splitBatch(items, 'unknown', attempt, {
    named: (part, { details }) => part.indexOf(details?.row as number),
    done: () => {},
    failed: (part) => failed.push(...part),
  });
  expect(failed).toEqual(items.filter((item) => item % 100 === 7));
  expect(attempts).toBeLessThan(120);
});
