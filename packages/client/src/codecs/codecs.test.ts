import { expect, test } from 'vitest';
import { bytes } from './bytes.js';
import type { Codec } from './codec.js';
import { json } from './json.js';
import { text } from './text.js';

/** Between other bytes, as in a frame. */
function through<V>(codec: Codec<V>, value: V): V {
  const encoded = codec.encode(value);
  const frame = Buffer.concat([Buffer.from('xx'), encoded, Buffer.from('yy')]);
  return codec.decode(frame, 2, 2 + encoded.length);
}

test.each([null, 0, '', 'ü', [], { a: [1, { b: null }] }, false])('json keeps %j', (value) =>
  expect(through(json(), value)).toEqual(value),
);

test('json refuses what has no JSON text', () => {
  expect(() => json().encode(() => 1)).toThrow('CODEC: a function has no JSON text');
  expect(() => json().encode(Symbol('x'))).toThrow('CODEC: a symbol has no JSON text');
});

test.each(['', 'plain', 'größe 😀', '\u0000'])('text keeps %j', (value) => expect(through(text(), value)).toBe(value));

test('text refuses what is no string', () => {
  expect(() => text().encode(5 as unknown as string)).toThrow('CODEC: value is a number; the text codec takes strings');
});

test('bytes are a view of their frame, or a copy of their own', () => {
  const frame = Buffer.from('0123456789');
  const view = bytes().decode(frame, 2, 5);
  const copy = bytes({ copy: true }).decode(frame, 2, 5);
  frame.fill('x');
  expect(view.toString()).toBe('xxx');
  expect(copy.toString()).toBe('234');
  expect(through(bytes(), Buffer.alloc(0))).toEqual(Buffer.alloc(0));
});

test('bytes refuse what is none', () => {
  expect(() => bytes().encode('x' as unknown as Buffer)).toThrow(
    'CODEC: value is a string; the bytes codec takes Buffer or Uint8Array',
  );
});
