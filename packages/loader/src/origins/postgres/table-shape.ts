import type { LarderError } from '@larder/proto';
import { configError, configMistake } from '../../config-check.js';
import { KEY_TYPE_NAMES, keyArrayType, keyType } from './key-type.js';
import type { PostgresDatabase } from './postgres-database.js';
import type { PostgresTableOptions } from './postgres-table-options.js';
import { type CatalogColumn, listed, readCatalog, type TableCatalog, type TableColumn } from './table-catalog.js';
import { type KeyColumn, TableKey } from './table-key.js';

/** A table as the statements need to know it. Names are plain, `table` and types are SQL text. */
export interface TableShape {
  readonly table: string;
  readonly key: TableKey;
  /** SQL that lets a write name a key that PostgreSQL could generate. */
  readonly overriding: string;
  /** What a value consists of, in its order. */
  readonly columns: readonly TableColumn[];
  /** Whether the value is the JSON of the only column, and not an object of columns. */
  readonly isDocument: boolean;
  /** Those of the columns that writes set: not the key, nothing that PostgreSQL generates. */
  readonly written: readonly TableColumn[];
  /** The column that says which write the row is from. */
  readonly version: string | undefined;
  /** Why no row can be written, if so. */
  readonly unwritable: LarderError | undefined;
}

/**
 * Reads the table's catalog entries. `isWritten`: the cache writes to it. Throws CONFIG if they do not fit the options,
 * ORIGIN_UNAVAILABLE without PostgreSQL.
 */
export async function readTableShape(
  database: PostgresDatabase,
  options: PostgresTableOptions,
  path: string,
  isWritten: boolean,
): Promise<TableShape> {
  const catalog = await readCatalog(database, options.table, path);
  const find = (setting: string, name: string): CatalogColumn => {
    const found = catalog.columns.find(({ column }) => column.name === name);
    if (found === undefined) throw missingColumn(`${path}.${setting}`, name, catalog);
    return found;
  };
  const keyNames = typeof options.key === 'string' ? [options.key] : options.key;
  const keys = keyNames.map((name, index) => find(typeof options.key === 'string' ? 'key' : `key.${index}`, name));
  checkUnique(catalog, keyNames, `${path}.key`);
  const { value, versionColumn: version } = options;
  if (version !== undefined) checkVersion(find('versionColumn', version), keyNames, `${path}.versionColumn`);
  if (value !== undefined) checkDocument(find('value', value), `${path}.value`);
  const columns = (value !== undefined ? [value] : (options.columns ?? defaultColumns(catalog, version))).map(
    (name, index) => find(`columns.${index}`, name).column,
  );
  const shape = {
    table: catalog.table,
    key: new TableKey(keys.map((key) => keyColumn(key, `${path}.key`))),
    overriding: keys.some(({ alwaysIdentity }) => alwaysIdentity) ? ' OVERRIDING SYSTEM VALUE' : '',
    columns,
    isDocument: value !== undefined,
    written: columns.filter(({ name, generated }) => !keyNames.includes(name) && !generated),
    version,
  };
  const unwritable = writeMistake(shape, catalog, keys, options, path);
  if (unwritable !== undefined && isWritten) throw unwritable;
  return { ...shape, unwritable };
}

function defaultColumns({ columns }: TableCatalog, version: string | undefined): string[] {
  return columns.map(({ column }) => column.name).filter((name) => name !== version);
}

function keyColumn(key: CatalogColumn, path: string): KeyColumn {
  const { name } = key.column;
  const type = keyType(key.baseTypeName, key.enumLabels);
  if (type === undefined) {
    throw mistake(path, name, `a column of type ${KEY_TYPE_NAMES}; this one is ${key.column.type}`);
  }
  if (!key.deterministic) {
    throw mistake(path, name, 'a column with a deterministic collation, so that a row has one key');
  }
  return { name, type, arrayType: keyArrayType(key.baseTypeName, key.baseType) };
}

function checkUnique({ uniqueKeys }: TableCatalog, key: readonly string[], path: string): void {
  const isKey = (names: readonly string[]) => names.length === key.length && key.every((name) => names.includes(name));
  if (uniqueKeys.some(isKey)) return;
  const existing = listed(uniqueKeys.map((names) => `(${names.join(', ')})`));
  if (key.length === 1) {
    throw mistake(path, key[0], `a column with a unique index of its own; there are ${existing}`);
  }
  throw mistake(path, key, `columns with a unique index on just these; there are ${existing}`);
}

function checkVersion({ column, baseTypeName }: CatalogColumn, key: readonly string[], path: string): void {
  if (key.includes(column.name)) throw mistake(path, column.name, 'another column than the key');
  if (baseTypeName !== 'int8' || column.generated) {
    throw mistake(path, column.name, `a bigint column that can be written; this one is ${column.type}`);
  }
}

function checkDocument({ column, baseTypeName }: CatalogColumn, path: string): void {
  if ((baseTypeName === 'json' || baseTypeName === 'jsonb') && !column.generated) return;
  throw mistake(path, column.name, `a json or jsonb column that can be written; this one is ${column.type}`);
}

/** What would make each and every write fail, or write what nobody meant. */
function writeMistake(
  { key, written, version }: Omit<TableShape, 'unwritable'>,
  { columns }: TableCatalog,
  keys: readonly CatalogColumn[],
  { assignedKeys }: PostgresTableOptions,
  path: string,
): LarderError | undefined {
  const numbered = keys.find(({ isNumbered }) => isNumbered);
  if (numbered !== undefined && assignedKeys !== true) {
    const { name } = numbered.column;
    const why = `PostgreSQL numbers '${name}' itself, but a write through the cache names its key`;
    const remedies = `use a uuid, insert rows with SQL and write: 'memory', or say assignedKeys: true if the application assigns the numbers`;
    return mistake(`${path}.key`, name, `a key that the application chooses (${why}): ${remedies}`);
  }
  const set = new Set([...key.columns, ...written].map(({ name }) => name));
  const unset = columns.find(
    ({ column: { name, notNull, defaultTo, generated } }) =>
      notNull && defaultTo === undefined && !generated && !set.has(name) && name !== version,
  );
  if (unset === undefined) return undefined;
  const { name } = unset.column;
  return mistake(
    `${path}.columns`,
    undefined,
    `columns with '${name}', which is NOT NULL without a default, among them`,
  );
}

function missingColumn(path: string, name: string, { columns }: TableCatalog): LarderError {
  const names = listed(columns.map(({ column }) => column.name));
  return mistake(path, name, `a column of the table; there are ${names}`);
}

function mistake(path: string, given: unknown, allowed: string): LarderError {
  return configError([configMistake(path, given, allowed)]);
}
