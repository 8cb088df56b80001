import { quoteIdentifier } from '../quote.js';
import type { TableShape } from '../table-shape.js';
import { standingLine } from './fence-lines.js';

/**
 * $1: keys. The texts of those that there were. If it is fenced $2 is the line, and the first row of the answer is a
 * null if the line stands.
 */
export function deleteRows(shape: TableShape, isFenced: boolean): string {
  if (!isFenced) return deletion(shape, '');
  return `
  WITH ${standingLine(2)}, deleted (key) AS (${deletion(shape, 'USING fence')})
  SELECT NULL FROM fence UNION ALL SELECT key FROM deleted`;
}

function deletion({ table, key }: TableShape, fence: string): string {
  const column = quoteIdentifier(key.name);
  return `
  DELETE FROM ${table} t ${fence}
  WHERE t.${column} = ANY ($1::${key.arrayType})
  RETURNING t.${column}::text`;
}
