import { quoteIdentifier } from '../quote.js';
import type { TableColumn, TableShape } from '../table-shape.js';
import { standingLine } from './fence-lines.js';

/**
 * $1: keys. $2: a JSON array of as many values. $3 and on, for each column that has a default: an array that says
 * whether the value has the column at all, because an absent one becomes its default and a null one becomes null.
 *
 * Keys and values are zipped by position. Measured beside one text array for each column, 7 columns and 1,000 rows on
 * PostgreSQL 18: 13.6 us a row instead of 23.5, and 2.9 us of the node's CPU instead of 14.6.
 *
 * If it is fenced its last parameter is the line, and it answers with one row if the line stands.
 */
export function upsertRows(shape: TableShape, isFenced: boolean): string {
  if (!isFenced) return insertion(shape, '');
  const parameter = 2 + (shape.written.length === 0 ? 0 : 1 + shape.written.filter(isDefaulted).length);
  return `
  WITH ${standingLine(parameter)}, written AS (${insertion(shape, ', fence')})
  SELECT 'standing' FROM fence`;
}

function insertion({ table, key, written }: TableShape, fence: string): string {
  const target = [key.name, ...written.map(({ name }) => name)].map(quoteIdentifier);
  return `
  INSERT INTO ${table} (${target.join(', ')})${key.overriding}
  SELECT r.k${written.map((column, index) => `, ${columnValue(column.defaultTo, index)}`).join('')}
  FROM ROWS FROM (${sources(written, key.arrayType)}) AS r (${aliases(written)})${fence}
  ON CONFLICT (${target[0]}) ${written.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${assignments(target.slice(1))}`}`;
}

function isDefaulted({ defaultTo }: TableColumn): boolean {
  return defaultTo !== undefined;
}

function columnValue(defaultTo: string | undefined, index: number): string {
  return defaultTo === undefined ? `r.c${index}` : `CASE WHEN r.h${index} THEN r.c${index} ELSE ${defaultTo} END`;
}

function sources(written: TableShape['written'], keyArrayType: string): string {
  const keys = `unnest($1::${keyArrayType})`;
  if (written.length === 0) return keys;
  const record = written.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`);
  const present = written.filter(isDefaulted).map((_, index) => `unnest($${index + 3}::boolean[])`);
  return [keys, `json_to_recordset($2::json) AS (${record.join(', ')})`, ...present].join(', ');
}

function aliases(written: TableShape['written']): string {
  const columns = written.map((_, index) => `c${index}`);
  const present = written.flatMap(({ defaultTo }, index) => (defaultTo === undefined ? [] : [`h${index}`]));
  return ['k', ...columns, ...present].join(', ');
}

function assignments(columns: readonly string[]): string {
  return columns.map((column) => `${column} = excluded.${column}`).join(', ');
}
