import { expect, test } from 'vitest';
import { parseOptions } from './options.js';

test('without options the demonstration runs 15 seconds, stays up and prints for people', () => {
  expect(parseOptions([])).toEqual({ seconds: 15, exit: false, json: false });
});

test('every option is understood', () => {
  expect(parseOptions(['--seconds', '5', '--exit', '--json'])).toEqual({ seconds: 5, exit: true, json: true });
  expect(parseOptions(['--seconds=0.5e1'])).toMatchObject({ seconds: 5 });
  expect(parseOptions(['--help'])).toBe('help');
});

test('a wrong option is refused with what is allowed', () => {
  for (const seconds of ['soon', '0', '-1', '3601', 'NaN'])
    expect(() => parseOptions([`--seconds=${seconds}`])).toThrow(`--seconds is '${seconds}'; allowed are 1 to 3600`);
  expect(() => parseOptions(['--second', '5'])).toThrow("Unknown option '--second'");
  expect(() => parseOptions(['5'])).toThrow("Unexpected argument '5'");
});
