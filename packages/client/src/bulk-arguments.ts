import { LarderError } from '@larder/proto';
import { type Key, keyText } from './keys.js';
import { shownValue } from './shown-value.js';

/** The texts of the keys of a bulk call, each once. Throws BAD_ARGUMENT. */
export function distinctTexts(keys: Iterable<Key>): string[] {
  if (!isCollection(keys)) throw badArgument(`keys is ${shownValue(keys)}; allowed is an array or iterable of keys`);
  return [...new Set(Array.from(keys, keyText))];
}

/** The values of a bulk write by key text, the last one of equal keys. Throws BAD_ARGUMENT. */
export function valuesByText<V>(items: Iterable<readonly [Key, V]>): Map<string, V> {
  if (!isCollection(items)) {
    throw badArgument(`items is ${shownValue(items)}; allowed is a Map, or an array or iterable of [key, value]`);
  }
  const values = new Map<string, V>();
  for (const item of items) {
    if (!Array.isArray(item)) throw badArgument(`items holds ${shownValue(item)}; allowed is [key, value]`);
    values.set(keyText(item[0]), item[1]);
  }
  return values;
}

/** A string is iterable, but its letters are not what was meant. */
function isCollection(given: unknown): boolean {
  return typeof given === 'object' && given !== null && Symbol.iterator in given;
}

function badArgument(message: string): LarderError {
  return new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}
