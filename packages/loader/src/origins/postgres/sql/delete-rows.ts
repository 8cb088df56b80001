import { quoteIdentifier } from '../quote.js';
import type { TableShape } from '../table-shape.js';

/** $1: keys. The texts of those that there were. */
export function deleteRows({ table, key }: TableShape): string {
  const column = quoteIdentifier(key.name);
  return `
  DELETE FROM ${table}
  WHERE ${column} = ANY ($1::${key.arrayType})
  RETURNING ${column}::text`;
}
