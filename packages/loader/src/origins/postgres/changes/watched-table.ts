import { createHash } from 'node:crypto';
import { configError, configMistake } from '../../../config-check.js';
import { type PostgresDatabase, statement } from '../postgres-database.js';
import type { PostgresTableOptions } from '../postgres-table-options.js';
import { arrayLiteral, quoteIdentifier, quoteLiteral } from '../quote.js';
import {
  COUNT_TRIGGERS,
  CREATE_CHANGE_LOG,
  grantChangeLog,
  noteFunction,
  noteTriggers,
  triggerNames,
} from '../sql/change-log.js';
import { OWN_SCHEMA } from '../sql/own-schema.js';
import type { TableKey } from '../table-key.js';
import { readTableShape } from '../table-shape.js';

/** A table whose changes by other programs are noted, under the keys of a cache. */
export interface WatchedTable {
  /** What the log calls it: the table and its key columns. Caches with the same share their triggers. */
  readonly source: string;
  /** SQL text. */
  readonly table: string;
  /** Of its triggers and their function; lower case, needs no quotes. */
  readonly name: string;
  /** SQL of a row's key, as the cache writes it. */
  readonly key: string;
}

/** Throws CONFIG if the table does not fit the options, ORIGIN_UNAVAILABLE without PostgreSQL. */
export async function readWatchedTable(
  database: PostgresDatabase,
  options: PostgresTableOptions,
  path: string,
): Promise<WatchedTable> {
  const { table, key } = await readTableShape(database, options, path, false);
  const source = `${table}(${key.columns.map(({ name }) => quoteIdentifier(name)).join(',')})`;
  const name = `larder_${createHash('sha1').update(source).digest('hex').slice(0, 16)}`;
  return { source, table, name, key: keyExpression(key) };
}

/** As TableKey reads it: PostgreSQL writes JSON strings as JSON.stringify does. */
function keyExpression({ columns, isTuple }: TableKey): string {
  const texts = columns.map(({ name }) => `r.${quoteIdentifier(name)}::text`);
  if (!isTuple) return texts[0] as string;
  const parts = columns.map(({ type }, index) => (type.isNumber ? texts[index] : `to_json(${texts[index]})::text`));
  return `'[' || ${parts.join(` || ',' || `)} || ']'`;
}

/** The statements that have these tables watched, for nodes that run as the quoted `role`. They may be run again. */
export function watchStatements(tables: readonly WatchedTable[], role: string): readonly string[] {
  const bySource = new Map(tables.map((table) => [table.source, table]));
  return [
    ...CREATE_CHANGE_LOG,
    ...grantChangeLog(role),
    ...[...bySource.values()].flatMap(({ source, table, name, key }) => [
      noteFunction(`${OWN_SCHEMA}.${name}`, quoteLiteral(source), key),
      ...noteTriggers(table, name, `${OWN_SCHEMA}.${name}`),
    ]),
  ];
}

/** Throws CONFIG if the table's triggers are missing or disabled. */
export async function checkWatched(database: PostgresDatabase, table: WatchedTable, path: string): Promise<void> {
  const names = triggerNames(table.name);
  const rows = await database.run(statement(COUNT_TRIGGERS), [table.table, arrayLiteral(names, true)], 'read');
  if (Number(rows[0]?.[0]) === names.length) return;
  const allowed = `false, or true after the triggers were installed: larder-node postgres install-triggers --config FILE`;
  throw configError([configMistake(`${path}.watch`, true, allowed)]);
}

/** The quoted role that the database's connections have. */
export async function currentRole(database: PostgresDatabase): Promise<string> {
  const [row] = await database.run(statement('SELECT current_user'), [], 'read');
  return quoteIdentifier(row?.[0] ?? '');
}
