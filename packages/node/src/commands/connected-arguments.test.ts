import { expect, test } from 'vitest';
import { connectedArguments } from './connected-arguments.js';

const read = (...args: string[]) => connectedArguments(args, 'CACHE KEY', 2, 2);

test('flags may stand anywhere, and behind -- a word may look like one', () => {
  const words = ['products', '42'];
  expect(read('products', '--connect', 'a:7400', '42')).toEqual({ address: 'a:7400', isJson: false, words });
  expect(read('--json', '--connect=[::1]:7400', 'products', '42')).toEqual({
    address: '[::1]:7400',
    isJson: true,
    words,
  });
  expect(read('--connect', 'a:7400', '--', 'products', '--json').words).toEqual(['products', '--json']);
});

test.each([
  [['products', '42'], '--connect is ""; give HOST:PORT of a node'],
  [['--connect', 'here', 'products', '42'], '--connect is "here"; give HOST:PORT of a node'],
  [['products', '42', '--connect'], '--connect is ""; give HOST:PORT of a node'],
  [['--connect', 'a:7400', 'products'], '1 word is given besides the flags; allowed is CACHE KEY'],
  [['--connect', 'a:7400', 'products', '42', '-v'], 'unknown argument -v. Allowed are --connect and --json'],
])('%j is refused in words', (args, message) => {
  expect(() => read(...args)).toThrow(message);
});
