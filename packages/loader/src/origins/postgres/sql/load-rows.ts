import { quoteIdentifier } from '../quote.js';
import type { TableShape } from '../table-shape.js';
import { matchKeys } from './key-columns.js';

/** From $1: keys. One row for each key that there is: what tells the key, and the value's JSON text. */
export function loadRows({ table, key, columns, isDocument }: TableShape): string {
  const { from, where, told } = matchKeys(key);
  const value = columns.map(
    ({ name, readCast }) => `t.${quoteIdentifier(name)}${readCast} AS ${quoteIdentifier(name)}`,
  );
  // A document that is SQL's null is JSON's, or it would be taken for a row that is not there.
  const json = isDocument
    ? `coalesce(t.${quoteIdentifier(columns[0]?.name ?? '')}::text, 'null')`
    : 'row_to_json(v)::text';
  const sources = [...from, `${table} t`, ...(isDocument ? [] : [`LATERAL (SELECT ${value.join(', ')}) v`])];
  return `
  SELECT ${told}, ${json}
  FROM ${sources.join(', ')}
  WHERE ${where}`;
}
