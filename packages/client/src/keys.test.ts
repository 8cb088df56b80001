import { KEY_BYTES_MAX } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { encodeKey, type Key, keyScratch, keyText } from './keys.js';

const encoded = (text: string): string => keyScratch.toString('utf8', 0, encodeKey(text));

describe('keyText', () => {
  test.each<[Key, string]>([
    ['plain', 'plain'],
    [42, '42'],
    [-0, '0'],
    [1e21, '1e+21'],
    [1.5, '1.5'],
    [12345678901234567890n, '12345678901234567890'],
    [['a', 1, 2n], '["a",1,2]'],
    [[], '[]'],
    [['a"b', 'ü'], '["a\\"b","ü"]'],
    [['\ud800'], '["\\ud800"]'],
  ])('is what the key is known by: %#', (key, text) => expect(keyText(key)).toBe(text));

  test('keeps tuples apart that would be the same when joined', () => {
    const tuples: Key[] = [['a', 'b:c'], ['a:b', 'c'], ['a', 'b', 'c'], ['a,b', 'c'], ['1'], [1], ['a","b']];
    expect(new Set(tuples.map(keyText)).size).toBe(tuples.length);
  });

  test.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    undefined,
    null,
    {},
    true,
    Symbol('x'),
    new Date(0),
    [['x']],
    [null],
  ])('refuses what is no key: %#', (key) =>
    expect(() => keyText(key as Key)).toThrow(/^BAD_ARGUMENT: key is .*; allowed are strings, finite numbers/),
  );
});

describe('encodeKey', () => {
  test.each([
    'a',
    'x'.repeat(64),
    'x'.repeat(65),
    'ü',
    'größe-日本-😀',
    `${'ü'.repeat(2048)}`,
    'a\u0000b',
    '\u007f',
    '\u0080',
  ])('writes UTF-8: %#', (text) => expect(encoded(text)).toBe(text));

  test('the bound is in bytes', () => {
    expect(encodeKey('x'.repeat(KEY_BYTES_MAX))).toBe(KEY_BYTES_MAX);
    expect(() => encodeKey('x'.repeat(KEY_BYTES_MAX + 1))).toThrow('key has 4097 bytes; allowed are 1 to 4096');
    expect(() => encodeKey('ü'.repeat(2049))).toThrow('key has 4098 bytes; allowed are 1 to 4096');
    expect(() => encodeKey('')).toThrow('key is empty; allowed are 1 to 4096 bytes');
  });

  test.each(['\ud800', 'a\udc00b', `${'x'.repeat(100)}\ud83d`, '\ude00\ud83d'])(
    'refuses half of a surrogate pair, which would become another key: %#',
    (text) => expect(() => encodeKey(text)).toThrow('key holds half of a surrogate pair, which UTF-8 cannot say'),
  );
});
