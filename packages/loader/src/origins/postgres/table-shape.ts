import type { LarderError } from '@larder/proto';
import { configError, configMistake } from '../../config-check.js';
import { KEY_TYPE_NAMES, type KeyType, keyType } from './key-type.js';
import { type PostgresDatabase, statement, type TextRow } from './postgres-database.js';
import type { PostgresTableOptions } from './postgres-table-options.js';
import { quoteIdentifier } from './quote.js';
import { FIND_TABLE } from './sql/find-table.js';
import { LIST_TABLES } from './sql/list-tables.js';
import { TABLE_COLUMNS } from './sql/table-columns.js';
import { UNIQUE_KEYS } from './sql/unique-keys.js';

/** A table as the statements need to know it. Names are plain, `table` and types are SQL text. */
export interface TableShape {
  readonly table: string;
  readonly key: KeyColumn;
  /** What a value consists of, in its order. */
  readonly columns: readonly TableColumn[];
  /** Those of them that writes set: not the key, nothing that PostgreSQL generates. */
  readonly written: readonly TableColumn[];
}

export interface KeyColumn {
  readonly name: string;
  readonly type: KeyType;
  readonly arrayType: string;
  /** SQL that lets a write name the key although PostgreSQL could generate it. */
  readonly overriding: string;
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

/** Reads the table's catalog entries. Throws CONFIG if they do not fit the options, ORIGIN_UNAVAILABLE without PostgreSQL. */
export async function readTableShape(
  database: PostgresDatabase,
  options: PostgresTableOptions,
  path: string,
): Promise<TableShape> {
  const { oid, table } = await findTable(database, options.table, path);
  const catalog = (await database.run(statement(TABLE_COLUMNS), [oid], 'read')).map(catalogColumn);
  const key = catalog.find(({ column }) => column.name === options.key);
  if (key === undefined) throw missingColumn(`${path}.key`, options.key, catalog);
  await checkUnique(database, oid, options.key, `${path}.key`);
  const columns = (options.columns ?? catalog.map(({ column }) => column.name)).map((name, index) => {
    const found = catalog.find(({ column }) => column.name === name);
    if (found === undefined) throw missingColumn(`${path}.columns.${index}`, name, catalog);
    return found.column;
  });
  const written = columns.filter(({ name, generated }) => name !== options.key && !generated);
  return { table, key: keyColumn(key, `${path}.key`), columns, written };
}

async function findTable(
  database: PostgresDatabase,
  name: string,
  path: string,
): Promise<{ oid: string; table: string }> {
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

interface CatalogColumn {
  readonly column: TableColumn;
  readonly baseType: string;
  readonly baseTypeName: string;
  readonly enumLabels: readonly string[] | undefined;
  readonly deterministic: boolean;
  readonly alwaysIdentity: boolean;
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
  };
}

/** Numbers that a double cannot hold travel as strings, as users of node-postgres know them. */
function readCast(typeName: string, elementName: string | null | undefined): string {
  if (typeName === 'int8' || typeName === 'numeric') return '::text';
  return elementName === 'int8' || elementName === 'numeric' ? '::text[]' : '';
}

function keyColumn(key: CatalogColumn, path: string): KeyColumn {
  const { name } = key.column;
  const type = keyType(key.baseTypeName, key.enumLabels);
  if (type === undefined) {
    throw configError([
      configMistake(path, name, `a column of type ${KEY_TYPE_NAMES}; this one is ${key.column.type}`),
    ]);
  }
  if (!key.deterministic) {
    throw configError([
      configMistake(path, name, 'a column with a deterministic collation, so that a row has one key'),
    ]);
  }
  const arrayType =
    key.baseTypeName === 'varchar' ? 'text[]' : key.baseTypeName === 'bpchar' ? 'bpchar[]' : `${key.baseType}[]`;
  return { name, type, arrayType, overriding: key.alwaysIdentity ? ' OVERRIDING SYSTEM VALUE' : '' };
}

async function checkUnique(database: PostgresDatabase, oid: string, key: string, path: string): Promise<void> {
  const uniqueKeys = (await database.run(statement(UNIQUE_KEYS), [oid], 'read')).map(
    ([names]) => JSON.parse(names as string) as string[],
  );
  if (uniqueKeys.some((names) => names.length === 1 && names[0] === key)) return;
  const existing = uniqueKeys.map((names) => `(${names.join(', ')})`);
  throw configError([
    configMistake(path, key, `a column with a unique index of its own; there are ${listed(existing)}`),
  ]);
}

function missingColumn(path: string, name: string, catalog: readonly CatalogColumn[]): LarderError {
  return configError([
    configMistake(path, name, `a column of the table; there are ${listed(catalog.map(({ column }) => column.name))}`),
  ]);
}

function listed(names: readonly (string | null | undefined)[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

/** `geo.cities`: everything before the first dot is the schema. */
function quoteQualified(name: string): string {
  const dot = name.indexOf('.');
  if (dot < 0) return quoteIdentifier(name);
  return `${quoteIdentifier(name.slice(0, dot))}.${quoteIdentifier(name.slice(dot + 1))}`;
}
