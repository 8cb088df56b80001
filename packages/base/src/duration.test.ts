import { describe, expect, test } from 'vitest';
import { durationMs } from './duration.js';

describe('durationMs', () => {
  test.each([
    [0, 0],
    [1500, 1500],
    ['0s', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['1.5s', 1500],
    [' 10 m ', 600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('%j is %d ms', (value, expected) => expect(durationMs(value)).toBe(expected));

  test.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '',
    '30',
    '-5s',
    '5 parsecs',
    '1h30m',
    '1e3s',
    's',
    null,
    undefined,
    {},
    [5],
    `${'9'.repeat(400)}s`,
  ])('%j is not a duration', (value) => expect(durationMs(value)).toBeUndefined());
});
