import { quoteIdentifier } from '../quote.js';
import type { TableShape } from '../table-shape.js';

/** $1: keys. One row for each key that there is: the key's text and the value's JSON text. */
export function loadRows({ table, key, columns }: TableShape): string {
  const value = columns.map(
    ({ name, readCast }) => `t.${quoteIdentifier(name)}${readCast} AS ${quoteIdentifier(name)}`,
  );
  return `
  SELECT t.${quoteIdentifier(key.name)}::text, row_to_json(v)::text
  FROM ${table} t, LATERAL (SELECT ${value.join(', ')}) v
  WHERE t.${quoteIdentifier(key.name)} = ANY ($1::${key.arrayType})`;
}
