import type { QueryShape } from '../query-shape.js';
import { withParameters } from '../query-text.js';
import { quoteIdentifier } from '../quote.js';
import { keySources } from './key-columns.js';

/** What no query of a user calls anything of its own. */
const KEYS = 'larder_keys';

/**
 * From $1: keys, an array for each parameter. One row for each key: its position, from 1, and the value's JSON text.
 * The query runs once for each key, as a subquery in which the key's columns stand for its parameters.
 */
export function askQuery({ sql, key, columns, result }: QueryShape): string {
  const inner = withParameters(sql, (parameter) => `${KEYS}.p${parameter}`);
  const fields = columns.map(
    ({ name, readCast }) => `r.${quoteIdentifier(name)}${readCast} AS ${quoteIdentifier(name)}`,
  );
  const row = 'row_to_json(v)::text';
  const value = result === 'row' ? row : `'[' || coalesce(string_agg(${row}, ','), '') || ']'`;
  const aliases = key.columns.map((_, index) => `p${index + 1}`);
  return `
  SELECT ${KEYS}.position::text, (
    SELECT ${value} FROM (SELECT ${fields.join(', ')} FROM (
${inner}
    ) r) v
  )
  FROM ROWS FROM (${keySources(key).join(', ')}) WITH ORDINALITY AS ${KEYS} (${[...aliases, 'position'].join(', ')})`;
}

/** The query without rows, which tells its columns; its parameters are null. */
export function describeQuery(sql: string, types: readonly string[]): string {
  const inner = withParameters(sql, (parameter) => `NULL::${types[parameter - 1] ?? 'text'}`);
  return `
  SELECT * FROM (
${inner}
  ) r LIMIT 0`;
}
