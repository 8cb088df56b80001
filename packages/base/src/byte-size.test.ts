import { describe, expect, test } from 'vitest';
import { byteSize } from './byte-size.js';

describe('byteSize', () => {
  test.each([
    [0, 0],
    [4096, 4096],
    ['12b', 12],
    ['1KiB', 1024],
    ['1.5 MiB', 1_572_864],
    ['64mib', 67_108_864],
    ['2GiB', 2_147_483_648],
    ['1TiB', 1_099_511_627_776],
  ])('%j is %d bytes', (value, expected) => expect(byteSize(value)).toBe(expected));

  test.each([-1, 1.5, Number.NaN, '', '64', '64MB', '64M', '-1KiB', '9999999999TiB', null, undefined, {}])(
    '%j is not a size',
    (value) => expect(byteSize(value)).toBeUndefined(),
  );
});
