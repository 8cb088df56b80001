import { LarderError } from '@larder/proto';
import type { Origin } from '../origin.js';
import { type PostgresDatabase, type Statement, statement } from './postgres-database.js';
import type { PostgresQueryOptions } from './postgres-query-options.js';
import { type QueryShape, readQueryShape } from './query-shape.js';
import { askQuery } from './sql/ask-query.js';

/**
 * The result of a query as a cache's origin: a join, or a top list. A key is the query's parameter, or a tuple of its
 * parameters; a value is the JSON of the rows. The keys of a batch are one statement. It can only be read.
 *
 * Checks the query first. Throws CONFIG; `path` is where the options stand in the configuration.
 */
export async function postgresQuery(
  database: PostgresDatabase,
  options: PostgresQueryOptions,
  path = 'postgresQuery',
): Promise<Origin> {
  return new PostgresQuery(database, await readQueryShape(database, options, path));
}

class PostgresQuery implements Origin {
  readonly isReadOnly = true;
  readonly #ask: Statement;
  #closed = false;

  constructor(
    readonly database: PostgresDatabase,
    readonly shape: QueryShape,
  ) {
    this.#ask = statement(askQuery(shape));
  }

  get callMsMax(): number {
    return this.database.callMsMax;
  }

  async loadMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    if (this.#closed) throw new LarderError('ORIGIN_UNAVAILABLE', 'the origin is closed');
    const { key: parameters } = this.shape;
    const possible = keys.filter((key) => parameters.accepts(key));
    if (possible.length === 0) return keys.map(() => undefined);
    const rows = await this.database.run(this.#ask, parameters.arrays(possible), 'read');
    const values = new Map<string, string | null>();
    for (const [position, value] of rows) values.set(possible[Number(position) - 1] as string, value ?? null);
    return keys.map((key) => {
      const value = values.get(key);
      return value == null ? undefined : Buffer.from(value);
    });
  }

  check(): LarderError {
    return readOnly();
  }

  async writeMany(): Promise<void> {
    throw readOnly();
  }

  async deleteMany(): Promise<readonly boolean[]> {
    throw readOnly();
  }

  /** The database is shared and stays open. */
  async close(): Promise<void> {
    this.#closed = true;
  }
}

function readOnly(): LarderError {
  return new LarderError('READ_ONLY', 'the origin is a query, which can only be read', { outcome: 'not-applied' });
}
