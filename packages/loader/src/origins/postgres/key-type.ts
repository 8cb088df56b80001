/** What a key must look like to be the text of a value of the key column's type. */
export interface KeyType {
  /** Completes "allowed: ...". */
  readonly allowed: string;
  /** Keys need no quotes in an array's literal. */
  readonly isPlain: boolean;
  /** In a tuple it is a JSON number, and not a string. */
  readonly isNumber: boolean;
  accepts(key: string): boolean;
}

/**
 * Types whose values have exactly one text each, so that two keys never mean one row. Others (numeric: '1.0' and '1.00',
 * timestamps, citext) are refused when the cache starts.
 */
export function keyType(typeName: string, enumLabels: readonly string[] | undefined): KeyType | undefined {
  if (enumLabels !== undefined) {
    const labels = new Set(enumLabels);
    return {
      isPlain: false,
      isNumber: false,
      allowed: enumLabels.map((label) => `'${label}'`).join(', '),
      accepts: (key) => labels.has(key),
    };
  }
  return KEY_TYPES.get(typeName);
}

const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

const KEY_TYPES = new Map<string, KeyType>([
  ['int2', integerOf(16)],
  ['int4', integerOf(32)],
  ['int8', integerOf(64)],
  ['uuid', textOf('a UUID in lower case with hyphens', true, (key) => UUID.test(key))],
  ['date', textOf('a date like 2026-01-31', true, isDate)],
  ['text', textOf('text without NUL characters', false, hasNoNul)],
  ['varchar', textOf('text without NUL characters', false, hasNoNul)],
  [
    'bpchar',
    textOf('text without NUL characters and trailing spaces', false, (key) => hasNoNul(key) && !key.endsWith(' ')),
  ],
]);

export const KEY_TYPE_NAMES = 'smallint, integer, bigint, uuid, date, text, varchar, char, enums';

/** SQL of the type whose arrays carry keys of that type. Those of limited length would cut keys off that are too long. */
export function keyArrayType(typeName: string, type: string): string {
  if (typeName === 'varchar') return 'text[]';
  return typeName === 'bpchar' ? 'bpchar[]' : `${type}[]`;
}

function textOf(allowed: string, isPlain: boolean, accepts: (key: string) => boolean): KeyType {
  return { allowed, isPlain, isNumber: false, accepts };
}

function integerOf(bits: number): KeyType {
  const max = 2n ** BigInt(bits - 1) - 1n;
  const digits = String(max).length;
  return {
    isPlain: true,
    isNumber: true,
    allowed: `a whole number from ${-max - 1n} to ${max} without leading zeros`,
    accepts(key) {
      if (!INTEGER.test(key)) return false;
      if (key.length < digits) return true;
      const value = BigInt(key);
      return value <= max && value >= -max - 1n;
    },
  };
}

function hasNoNul(key: string): boolean {
  return !key.includes('\0');
}

function isDate(key: string): boolean {
  if (!DATE.test(key) || key.startsWith('0000')) return false;
  const date = new Date(`${key}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(key);
}
