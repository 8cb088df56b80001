import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type KeyType, keyType } from './key-type.js';
import { TableKey } from './table-key.js';

function typeNamed(name: string): KeyType {
  const type = keyType(name, undefined);
  if (type === undefined) throw new Error(`${name} is no key type`);
  return type;
}

function keyOf(...types: string[]): TableKey {
  return new TableKey(
    types.map((name, index) => ({ name: `k${index}`, type: typeNamed(name), arrayType: `${name}[]` })),
  );
}

test('one column: the key is the text of its value', () => {
  expect(keyOf('int4').parts('7')).toEqual(['7']);
  expect(keyOf('text').parts('[7]')).toEqual(['[7]']);
  expect(keyOf('int4').parts('[7]')).toBeUndefined();
  expect(keyOf('text').arrays(['a', 'b"c'])).toEqual(['{"a","b\\"c"}']);
});

describe('several columns: the key is the JSON array of their values', () => {
  const key = keyOf('int8', 'text', 'date');

  test.each([
    ['[7,"a","2026-01-31"]', ['7', 'a', '2026-01-31']],
    ['[-9223372036854775808,"","2026-01-31"]', ['-9223372036854775808', '', '2026-01-31']],
    ['[9007199254740993,"]\\",[","2026-01-31"]', ['9007199254740993', ']",[', '2026-01-31']],
    ['[0,"ü\\n\\u0001\u{1f980}","2026-01-31"]', ['0', 'ü\n\u0001\u{1f980}', '2026-01-31']],
  ])('%s', (text, parts) => {
    expect(key.parts(text)).toEqual(parts);
  });

  test.each([
    ['["7","a","2026-01-31"]', 'a number as a string'],
    ['[7,8,"2026-01-31"]', 'a string as a number'],
    ['[7.0,"a","2026-01-31"]', 'a number in another spelling'],
    ['[07,"a","2026-01-31"]', 'a leading zero'],
    ['[-0,"a","2026-01-31"]', 'minus zero'],
    ['[9223372036854775808,"a","2026-01-31"]', 'a number out of range'],
    ['[7,"\\u0061","2026-01-31"]', 'an escape that nobody needs'],
    ['[7,"a\\/","2026-01-31"]', 'another one'],
    ['[7,"\\ud800","2026-01-31"]', 'half a surrogate pair'],
    ['[7,"a\\u0000","2026-01-31"]', 'what the type does not accept'],
    ['[7,"a","2026-02-30"]', 'no day'],
    ['[7,"a"]', 'too few'],
    ['[7,"a","2026-01-31",1]', 'too many'],
    ['[7, "a","2026-01-31"]', 'white space'],
    ['[7,"a","2026-01-31"] ', 'something behind it'],
    ['[7,"a","2026-01-31"', 'no end'],
    ['[7,"a,"2026-01-31"]', 'no end of a string'],
    ['[7,"\n","2026-01-31"]', 'what is no JSON'],
    ['7', 'no array'],
    ['', 'nothing'],
    ['[', 'next to nothing'],
  ])('%s is none: %s', (text) => {
    expect(key.parts(text)).toBeUndefined();
  });

  test('is an array for each column', () => {
    expect(key.arrays(['[1,"a","2026-01-31"]', '[2,"b,c","2026-02-01"]'])).toEqual([
      '{1,2}',
      '{"a","b,c"}',
      '{2026-01-31,2026-02-01}',
    ]);
  });

  test('whatever the client makes of a tuple is taken apart again, and nothing else gives the same parts', () => {
    const tuple = keyOf('text', 'int8', 'text');
    const text = fc.string({ unit: 'grapheme' }).filter((part) => !part.includes('\0'));
    fc.assert(
      fc.property(text, fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), text, (first, number, last) => {
        const key = `[${JSON.stringify(first)},${number},${JSON.stringify(last)}]`;
        expect(tuple.parts(key)).toEqual([first, String(number), last]);
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'[]",\\u0a1-/ ') }), (key) => {
        const parts = tuple.parts(key);
        if (parts === undefined) return;
        expect(key).toBe(`[${JSON.stringify(parts[0])},${parts[1]},${JSON.stringify(parts[2])}]`);
      }),
    );
  });
});
