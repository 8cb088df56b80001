import { quoteIdentifier } from '../quote.js';
import type { TableColumn } from '../table-catalog.js';
import type { TableShape } from '../table-shape.js';
import { standingLine } from './fence-lines.js';
import { keyAliases, keySources } from './key-columns.js';

/**
 * Its parameters, those in brackets only where the table has the like:
 *
 *     keys...       an array for each key column
 *     [values]      a JSON array
 *     [present...]  for each column that has a default, an array that says whether the value has the column at all,
 *                   because an absent one becomes its default and a null one becomes null
 *     [versions]    an array
 *     [line]        of the fence
 *
 * All are zipped by position. Measured beside one text array for each column, 7 columns and 1,000 rows on PostgreSQL 18:
 * 13.6 us a row instead of 23.5, and 2.9 us of the node's CPU instead of 14.6.
 *
 * If it is fenced it answers with one row if the line stands.
 */
export function upsertRows(shape: TableShape, isFenced: boolean): string {
  const source = sourceOf(shape);
  if (!isFenced && shape.version === undefined) return insertion(shape, source, '');
  const parts = [`written AS (${insertion(shape, source, isFenced ? ', fence' : '')} RETURNING true)`];
  if (isFenced) parts.unshift(standingLine(source.parameters + 1));
  return `
  WITH ${parts.join(', ')}
  SELECT ${shape.version === undefined ? "'standing'" : allWritten()}${isFenced ? ' FROM fence' : ''}`;
}

/** What the message of a statement begins with that would have moved a row backwards. */
export const NEWER_ROW = 'rows have a newer version';

/** PostgreSQL has no expression that raises an error of one's own, and a cast that fails rolls everything back. */
function allWritten(): string {
  const left = 'cardinality($1) - (SELECT count(*) FROM written)';
  return `CASE WHEN ${left} = 0 THEN 1 ELSE ('${NEWER_ROW}: ' || (${left}))::integer END`;
}

interface Source {
  /** Items of ROWS FROM and what their columns are called. */
  readonly items: readonly string[];
  readonly aliases: readonly string[];
  /** How many there are. */
  readonly parameters: number;
}

function sourceOf({ key, written, isDocument, version }: TableShape): Source {
  const items = keySources(key);
  const aliases = keyAliases(key);
  let parameters = items.length;
  const next = (): string => `$${++parameters}`;
  if (written.length > 0) {
    items.push(isDocument ? `json_array_elements(${next()}::json)` : records(written, next()));
    aliases.push(...written.map((_, index) => `c${index}`));
  }
  if (!isDocument) {
    for (const [index, { defaultTo }] of written.entries()) {
      if (defaultTo === undefined) continue;
      items.push(`unnest(${next()}::boolean[])`);
      aliases.push(`h${index}`);
    }
  }
  if (version !== undefined) {
    items.push(`unnest(${next()}::bigint[])`);
    aliases.push('version');
  }
  return { items, aliases, parameters };
}

function records(written: readonly TableColumn[], parameter: string): string {
  const record = written.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`);
  return `json_to_recordset(${parameter}::json) AS (${record.join(', ')})`;
}

function insertion(shape: TableShape, { items, aliases }: Source, fence: string): string {
  const { table, key, written, version, overriding } = shape;
  const keyNames = key.columns.map(({ name }) => quoteIdentifier(name));
  const set = [...written.map(({ name }) => name), ...(version === undefined ? [] : [version])].map(quoteIdentifier);
  const values = [
    ...keyAliases(key).map((alias) => `r.${alias}`),
    ...written.map((column, index) => columnValue(column, index, shape.isDocument)),
    ...(version === undefined ? [] : ['r.version']),
  ];
  return `
  INSERT INTO ${table} AS t (${[...keyNames, ...set].join(', ')})${overriding}
  SELECT ${values.join(', ')}
  FROM ROWS FROM (${items.join(', ')}) AS r (${aliases.join(', ')})${fence}
  ON CONFLICT (${keyNames.join(', ')}) ${set.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${assignments(set, version)}`}`;
}

function columnValue({ defaultTo, type }: TableColumn, index: number, isDocument: boolean): string {
  if (isDocument) return `r.c${index}::${type}`;
  return defaultTo === undefined ? `r.c${index}` : `CASE WHEN r.h${index} THEN r.c${index} ELSE ${defaultTo} END`;
}

/** A write that is repeated finds its own version, and passes. */
function assignments(columns: readonly string[], version: string | undefined): string {
  const all = columns.map((column) => `${column} = excluded.${column}`).join(', ');
  if (version === undefined) return all;
  const stored = `t.${quoteIdentifier(version)}`;
  return `${all} WHERE ${stored} IS NULL OR ${stored} <= excluded.${quoteIdentifier(version)}`;
}
