import { LarderError } from '@larder/proto';
import { configError, configMistake } from '../../config-check.js';
import { KEY_TYPE_NAMES, keyArrayType, keyType } from './key-type.js';
import type { PostgresDatabase, Session, SessionResult } from './postgres-database.js';
import { PARAMETERS_MAX, type PostgresQueryOptions, type QueryResult } from './postgres-query-options.js';
import { withoutSemicolon } from './query-text.js';
import { quoteLiteral } from './quote.js';
import { askQuery, describeQuery } from './sql/ask-query.js';
import { PARAMETER_TYPES } from './sql/parameter-types.js';
import { type KeyColumn, TableKey } from './table-key.js';

/** A query as it is asked for many keys at once. */
export interface QueryShape {
  readonly sql: string;
  /** Its parameters. */
  readonly key: TableKey;
  readonly columns: readonly QueryColumn[];
  readonly result: QueryResult;
}

export interface QueryColumn {
  readonly name: string;
  /** '::text' where a JSON number could lose digits in its reader. */
  readonly readCast: string;
}

const USER_QUERY = 'larder_query';
const WHOLE_QUERY = 'larder_whole_query';
const ONE_SELECT = 'one SELECT with the parameters $1, $2 and so on';

/**
 * Lets PostgreSQL look at the query, without running it: its parameters' types and its columns, and whether it can be
 * asked for many keys at once. Throws CONFIG with what PostgreSQL says, ORIGIN_UNAVAILABLE without it.
 */
export function readQueryShape(
  database: PostgresDatabase,
  options: PostgresQueryOptions,
  path: string,
): Promise<QueryShape> {
  const sql = withoutSemicolon(options.sql);
  const { result = 'rows' } = options;
  return database.inspect(async (session) => {
    const declared = await declaredTypes(session, options.parameters ?? [], `${path}.parameters`);
    const refuse = (allowed: string) => (error: unknown) => refusal(error, `${path}.sql`, options.sql, allowed);
    const types = declared.length === 0 ? '' : ` (${declared.join(', ')})`;
    await session.run(`PREPARE ${USER_QUERY}${types} AS ${sql}`).catch(refuse(ONE_SELECT));
    const { rows } = await session.run(PARAMETER_TYPES.replace('$1', quoteLiteral(USER_QUERY)));
    const key = new TableKey(rows.map((row, index) => parameter(row, index, path)));
    if (rows.length === 0 || rows.length > PARAMETERS_MAX) {
      throw mistake(
        `${path}.sql`,
        options.sql,
        `a SELECT with 1 to ${PARAMETERS_MAX} parameters, which are the cache's key`,
      );
    }
    const formatted = rows.map(([, type]) => type as string);
    const described = await session.run(describeQuery(sql, formatted)).catch(refuse(ONE_SELECT));
    const shape = { sql, key, columns: queryColumns(described.fields, options.sql, path), result };
    await session
      .run(`PREPARE ${WHOLE_QUERY} AS ${askQuery(shape)}`)
      .catch(refuse('a SELECT that can be a subquery in which columns stand for its parameters'));
    return shape;
  });
}

/** As PostgreSQL writes them. */
async function declaredTypes(session: Session, names: readonly string[], path: string): Promise<string[]> {
  const types: string[] = [];
  for (const [index, name] of names.entries()) {
    const sql = `SELECT pg_catalog.format_type(pg_catalog.to_regtype(${quoteLiteral(name)}), NULL)`;
    const known = await session.run(sql).then(({ rows }) => rows[0]?.[0], notAName);
    if (known == null || known === '-') throw mistake(`${path}.${index}`, name, 'a type that the database has');
    types.push(known);
  }
  return types;
}

/** What PostgreSQL takes for a syntax error in a name is no type's name. */
function notAName(error: unknown): undefined {
  if (error instanceof LarderError && error.code === 'ORIGIN') return undefined;
  throw error;
}

function parameter([typeName, type, labels]: readonly (string | null)[], index: number, path: string): KeyColumn {
  const known = keyType(typeName as string, labels == null ? undefined : (JSON.parse(labels) as string[]));
  if (known !== undefined) {
    return { name: `$${index + 1}`, type: known, arrayType: keyArrayType(typeName as string, type as string) };
  }
  const allowed = `for $${index + 1} one of ${KEY_TYPE_NAMES}; it is ${type}, and a cast or parameters can say otherwise`;
  throw mistake(`${path}.parameters`, undefined, allowed);
}

/** Type numbers of PostgreSQL: bigint, numeric, and arrays of them. */
const CASTS = new Map([
  [20, '::text'],
  [1700, '::text'],
  [1016, '::text[]'],
  [1231, '::text[]'],
]);

function queryColumns(fields: SessionResult['fields'], sql: string, path: string): QueryColumn[] {
  const names = fields.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw mistake(`${path}.sql`, sql, `a SELECT whose columns have different names; '${twice}' is there twice`);
  if (names.length === 0) throw mistake(`${path}.sql`, sql, 'a SELECT with columns');
  return fields.map(({ name, dataTypeID }) => ({ name, readCast: CASTS.get(dataTypeID) ?? '' }));
}

/** Elsewhere that is said of a prepared statement whose table was changed. */
const FEATURE_NOT_SUPPORTED = '0A000';

/** PostgreSQL's refusal as a mistake in the configuration; everything else as it is. */
function refusal(error: unknown, path: string, sql: string, allowed: string): never {
  const isUnsupported = error instanceof LarderError && error.details?.sqlState === FEATURE_NOT_SUPPORTED;
  if (!(error instanceof LarderError) || (error.code !== 'ORIGIN' && !isUnsupported)) throw error;
  throw configError([configMistake(path, sql, `${allowed}; ${error.reason}`.replaceAll('\n', ' '))], error);
}

function mistake(path: string, given: unknown, allowed: string): LarderError {
  return configError([configMistake(path, given, allowed)]);
}
