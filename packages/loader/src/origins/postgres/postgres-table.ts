import { LarderError } from '@larder/proto';
import pg from 'pg';
import { type Origin, type OriginFence, type OriginRow, rowVersion } from '../origin.js';
import { type PostgresDatabase, type Statement, statement, type TextRow } from './postgres-database.js';
import type { PostgresTableOptions } from './postgres-table-options.js';
import { type ParsedRow, RowCheck, rowText } from './row-check.js';
import { deleteRows } from './sql/delete-rows.js';
import { loadRows } from './sql/load-rows.js';
import { NEWER_ROW, upsertRows } from './sql/upsert-rows.js';
import type { TableColumn } from './table-catalog.js';
import { readTableShape, type TableShape } from './table-shape.js';

/**
 * The rows of a table as a cache's origin: a key is a value of the key column or a tuple of such values, a value is the
 * JSON text of the row's columns, or of one column that holds JSON. PostgreSQL makes that text when it is read and takes it apart when it is written, so every type that has a
 * JSON form comes back as it went, and no number passes through a double on the way.
 *
 * A value is the whole row: what it lacks becomes the column's default, or null without one. Columns that PostgreSQL
 * generates are read, and what a value says about them is ignored.
 *
 * With a version column a row that a later write has left is not overwritten by an earlier one: the statement of such a
 * row is refused. Deletes have no version; against late ones there is the fence.
 *
 * Checks the table first, and opens the database's fence if the cache writes. Throws CONFIG; `path` is where the options
 * stand in the configuration.
 */
export async function postgresTable(
  database: PostgresDatabase,
  options: PostgresTableOptions,
  path = 'postgresTable',
  isWritten = true,
): Promise<Origin> {
  const shape = await readTableShape(database, options, path, isWritten);
  if (isWritten) await database.fence?.open();
  return new PostgresTable(database, shape);
}

class PostgresTable implements Origin {
  readonly #load: Statement;
  readonly #upsert: Statement;
  readonly #delete: Statement;
  readonly #rows: RowCheck;
  /** Columns of which it must be told whether a value has them. */
  readonly #defaulted: readonly TableColumn[];
  #closed = false;

  constructor(
    readonly database: PostgresDatabase,
    readonly shape: TableShape,
  ) {
    this.#load = statement(loadRows(shape));
    const isFenced = database.fence !== undefined;
    this.#upsert = statement(upsertRows(shape, isFenced));
    this.#delete = statement(deleteRows(shape, isFenced));
    this.#rows = new RowCheck(shape);
    this.#defaulted = shape.isDocument ? [] : shape.written.filter(({ defaultTo }) => defaultTo !== undefined);
  }

  get callMsMax(): number {
    return this.database.callMsMax;
  }

  get fence(): OriginFence | undefined {
    return this.database.fence;
  }

  async loadMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#assertOpen(undefined);
    const possible = this.#possible(keys);
    if (possible.length === 0) return keys.map(() => undefined);
    const rows = await this.database.run(this.#load, this.shape.key.arrays(possible), 'read');
    const values = new Map<string, string>();
    for (const [told, value] of rows) values.set(this.#keyOf(told as string, possible), value as string);
    return keys.map((key) => {
      const value = values.get(key);
      return value === undefined ? undefined : Buffer.from(value);
    });
  }

  async writeMany(rows: readonly OriginRow[]): Promise<void> {
    this.#assertOpen('not-applied');
    const values = this.#valueParameters(rows);
    const keys = this.shape.key.arrays(rows.map(({ key }) => key));
    const versions = this.shape.version === undefined ? [] : [`{${rows.map(rowVersion).join(',')}}`];
    try {
      await this.#write(this.#upsert, [...keys, ...values, ...versions]);
    } catch (error) {
      throw newerRow(error) ?? withRow(error, rows);
    }
  }

  async deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    this.#assertOpen('not-applied');
    const possible = this.#possible(keys);
    if (possible.length === 0) return keys.map(() => false);
    const rows = await this.#write(this.#delete, this.shape.key.arrays(possible));
    const deleted = new Set(rows.map(([told]) => (told == null ? undefined : this.#keyOf(told, possible))));
    return keys.map((key) => deleted.has(key));
  }

  check(key: string, value: Uint8Array): LarderError | undefined {
    const { unwritable } = this.shape;
    // The cache was not to write when it was opened, but a call or a changed policy wants to.
    if (unwritable !== undefined) return new LarderError('READ_ONLY', unwritable.reason, { outcome: 'not-applied' });
    const row = this.#rows.parse(key, value);
    return row instanceof LarderError ? row : undefined;
  }

  /** The database is shared and stays open. */
  async close(): Promise<void> {
    this.#closed = true;
  }

  #write(fenceable: Statement, values: readonly string[]): Promise<TextRow[]> {
    const { fence } = this.database;
    return fence === undefined ? this.database.run(fenceable, values, 'write') : fence.write(fenceable, values);
  }

  #possible(keys: readonly string[]): readonly string[] {
    const { key: tableKey } = this.shape;
    return keys.every((key) => tableKey.accepts(key)) ? keys : keys.filter((key) => tableKey.accepts(key));
  }

  /** Which of the keys a row has told. */
  #keyOf(told: string, asked: readonly string[]): string {
    return this.shape.key.isTuple ? (asked[Number(told) - 1] as string) : told;
  }

  #parse({ key, value }: OriginRow): ParsedRow {
    const row = this.#rows.parse(key, value);
    if (row instanceof LarderError) throw row;
    return row;
  }

  #valueParameters(rows: readonly OriginRow[]): string[] {
    if (this.#defaulted.length === 0) {
      const texts = rows.map((row) => (row.isChecked ? rowText(row.value) : this.#parse(row).text));
      return this.shape.written.length === 0 ? [] : [`[${texts.join(',')}]`];
    }
    const parsed = rows.map((row) => this.#parse(row));
    const present = this.#defaulted.map(
      ({ name }) => `{${parsed.map(({ object }) => (Object.hasOwn(object, name) ? 't' : 'f')).join(',')}}`,
    );
    return [`[${parsed.map(({ text }) => text).join(',')}]`, ...present];
  }

  #assertOpen(outcome: 'not-applied' | undefined): void {
    if (this.#closed) throw new LarderError('ORIGIN_UNAVAILABLE', 'the origin is closed', { outcome });
  }
}

/** The error of a write that would have moved a row backwards. What PostgreSQL quotes is not in our own messages. */
function newerRow(error: unknown): LarderError | undefined {
  const cause = error instanceof LarderError ? error.cause : undefined;
  if (!(cause instanceof Error) || !cause.message.includes(NEWER_ROW)) return undefined;
  const message = 'the row is from a later write: its version in the table is newer';
  return new LarderError('ORIGIN', message, { outcome: 'not-applied', details: { blames: 'row' }, cause });
}

const FAILING_ROW = 'Failing row contains (';

/** CHECK and NOT NULL say what the row holds, in the order of the table's columns; mostly the key is the first of them. */
function withRow(error: unknown, rows: readonly OriginRow[]): unknown {
  if (!(error instanceof LarderError) || !(error.cause instanceof pg.DatabaseError)) return error;
  const { detail = '' } = error.cause;
  if (!detail.startsWith(FAILING_ROW)) return error;
  const named = rows.find(({ key }) => detail.startsWith(`${key},`, FAILING_ROW.length));
  if (named === undefined) return error;
  const { code, reason, outcome, cause, details } = error;
  return new LarderError(code, reason, { outcome, cause, details: { ...details, row: named.key } });
}
