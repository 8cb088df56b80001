import { describe, expect, it } from 'vitest';
import { decimal, flag, integer, integers, names, parseOptions, text, UsageError } from './options.js';

const options = {
  seconds: decimal({ otherwise: 1, min: 0.05, max: 60 }),
  repeat: integer({ otherwise: 3, min: 1, max: 20 }),
  concurrency: integers({ otherwise: [1, 64], min: 1, max: 4096 }),
  only: names(['larder', 'ioredis']),
  besideLarge: flag(false),
  pin: flag(true),
  profile: text('a folder'),
};

describe('parseOptions', () => {
  it('gives every option its default on an empty command line', () => {
    expect(parseOptions([], options)).toEqual({
      seconds: 1,
      repeat: 3,
      concurrency: [1, 64],
      only: ['larder', 'ioredis'],
      besideLarge: false,
      pin: true,
      profile: undefined,
    });
  });

  it('takes values after a space and after an equals sign, and negated flags', () => {
    const line = [
      '--seconds',
      '0.5',
      '--concurrency=1,512',
      '--only',
      'ioredis',
      '--beside-large',
      '--no-pin',
      '--profile=/tmp/p',
    ];
    expect(parseOptions(line, options)).toMatchObject({
      seconds: 0.5,
      concurrency: [1, 512],
      only: ['ioredis'],
      besideLarge: true,
      pin: false,
      profile: '/tmp/p',
    });
  });

  it.each([
    [['--seconds', '0'], "--seconds must be a number from 0.05 to 60, got '0'"],
    [['--seconds', 'long'], "--seconds must be a number from 0.05 to 60, got 'long'"],
    [['--seconds'], '--seconds must be a number from 0.05 to 60, got nothing'],
    [['--repeat', '1.5'], "--repeat must be an integer from 1 to 20, got '1.5'"],
    [['--concurrency', '1,,2'], "--concurrency must be integers from 1 to 4096 with commas between them, got '1,,2'"],
    [['--only', 'larder,redis'], "--only must be some of larder, ioredis with commas between them, got 'larder,redis'"],
    [['--pin=yes'], "--pin takes no value, got 'yes'"],
    [['--no-seconds'], 'unknown option --no-seconds; allowed are --seconds, --repeat,'],
    [['seconds'], "options look like --name value, got 'seconds'"],
  ])('refuses %j and says what is allowed', (line, message) => {
    expect(() => parseOptions(line, options)).toThrow(UsageError);
    expect(() => parseOptions(line, options)).toThrow(message);
  });
});
