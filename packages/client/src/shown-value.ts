import { inspect } from 'node:util';

const LENGTH_MAX = 80;

/** A value that was given, as error messages quote it: one short line, whatever it is. */
export function shownValue(value: unknown): string {
  const shown = inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY, maxStringLength: LENGTH_MAX });
  return shown.length > LENGTH_MAX + 20 ? `${shown.slice(0, LENGTH_MAX)}...` : shown;
}
