import { configError, configMistake } from '../../config-check.js';
import { type PostgresDatabase, statement, type TextRow } from './postgres-database.js';
import { quoteIdentifier } from './quote.js';
import { FIND_TABLE } from './sql/find-table.js';
import { LIST_TABLES } from './sql/list-tables.js';
import { TABLE_COLUMNS } from './sql/table-columns.js';
import { UNIQUE_KEYS } from './sql/unique-keys.js';

/** What PostgreSQL's catalog says of a table. */
export interface TableCatalog {
  /** SQL text. */
  readonly table: string;
  readonly columns: readonly CatalogColumn[];
  /** Of each unique index that can tell rows apart by itself, its columns. */
  readonly uniqueKeys: readonly (readonly string[])[];
}

export interface TableColumn {
  readonly name: string;
  /** With length or precision. */
  readonly type: string;
  /** '::text' where a JSON number could lose digits in its reader. */
  readonly readCast: string;
  readonly notNull: boolean;
  /** SQL of the default. */
  readonly defaultTo: string | undefined;
  readonly generated: boolean;
}

export interface CatalogColumn {
  readonly column: TableColumn;
  readonly baseType: string;
  readonly baseTypeName: string;
  readonly enumLabels: readonly string[] | undefined;
  readonly deterministic: boolean;
  readonly alwaysIdentity: boolean;
  /** A serial or identity column. */
  readonly isNumbered: boolean;
}

/** Throws CONFIG if there is no such table, ORIGIN_UNAVAILABLE without PostgreSQL. */
export async function readCatalog(database: PostgresDatabase, name: string, path: string): Promise<TableCatalog> {
  const { oid, table } = await findTable(database, name, path);
  const columns = (await database.run(statement(TABLE_COLUMNS), [oid], 'read')).map(catalogColumn);
  const uniqueKeys = (await database.run(statement(UNIQUE_KEYS), [oid], 'read')).map(
    ([names]) => JSON.parse(names as string) as string[],
  );
  return { table, columns, uniqueKeys };
}

async function findTable(
  database: PostgresDatabase,
  name: string,
  path: string,
): Promise<{ readonly oid: string; readonly table: string }> {
  const [found] = await database.run(statement(FIND_TABLE), [quoteQualified(name)], 'read');
  if (found === undefined) {
    const tables = (await database.run(statement(LIST_TABLES), [], 'read')).map(([table]) => table);
    throw configError([
      configMistake(`${path}.table`, name, `a table of ${database.label}; there are ${listed(tables)}`),
    ]);
  }
  const [oid, schema, table, kind, encoding] = found as string[];
  if (kind !== 'r' && kind !== 'p') {
    throw configError([configMistake(`${path}.table`, name, 'a table; this is a view or something else')]);
  }
  if (encoding !== 'UTF8') {
    throw configError([configMistake(`${path}.database`, encoding, 'a database whose encoding is UTF8')]);
  }
  return { oid: oid as string, table: `${quoteIdentifier(schema as string)}.${quoteIdentifier(table as string)}` };
}

function catalogColumn(row: TextRow): CatalogColumn {
  const [
    name,
    type,
    baseType,
    baseTypeName,
    elementName,
    notNull,
    identity,
    generated,
    defaultTo,
    deterministic,
    labels,
  ] = row;
  return {
    column: {
      name: name as string,
      type: type as string,
      readCast: readCast(baseTypeName as string, elementName),
      notNull: notNull === 't',
      defaultTo: defaultTo ?? undefined,
      generated: generated !== '' || identity !== '',
    },
    baseType: baseType as string,
    baseTypeName: baseTypeName as string,
    enumLabels: labels == null ? undefined : (JSON.parse(labels) as string[]),
    deterministic: deterministic === 't',
    alwaysIdentity: identity === 'a',
    isNumbered: identity !== '' || /\bnextval\(/.test(defaultTo ?? ''),
  };
}

/** Numbers that a double cannot hold travel as strings, as users of node-postgres know them. */
function readCast(typeName: string, elementName: string | null | undefined): string {
  if (typeName === 'int8' || typeName === 'numeric') return '::text';
  return elementName === 'int8' || elementName === 'numeric' ? '::text[]' : '';
}

export function listed(names: readonly (string | null | undefined)[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

/** `geo.cities`: everything before the first dot is the schema. */
function quoteQualified(name: string): string {
  const dot = name.indexOf('.');
  if (dot < 0) return quoteIdentifier(name);
  return `${quoteIdentifier(name.slice(0, dot))}.${quoteIdentifier(name.slice(dot + 1))}`;
}
