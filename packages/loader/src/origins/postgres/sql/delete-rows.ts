import type { TableShape } from '../table-shape.js';
import { standingLine } from './fence-lines.js';
import { matchKeys } from './key-columns.js';

/**
 * From $1: keys. What tells those that there were. If it is fenced the last parameter is the line, and the first row of
 * the answer is a null if the line stands.
 */
export function deleteRows(shape: TableShape, isFenced: boolean): string {
  if (!isFenced) return deletion(shape, []);
  return `
  WITH ${standingLine(shape.key.columns.length + 1)}, deleted (key) AS (${deletion(shape, ['fence'])})
  SELECT NULL FROM fence UNION ALL SELECT key FROM deleted`;
}

function deletion({ table, key }: TableShape, fence: readonly string[]): string {
  const { from, where, told } = matchKeys(key);
  const using = [...from, ...fence];
  return `
  DELETE FROM ${table} t${using.length === 0 ? '' : ` USING ${using.join(', ')}`}
  WHERE ${where}
  RETURNING ${told}`;
}
