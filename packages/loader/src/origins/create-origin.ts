import { configError, configMistake } from '../config-check.js';
import type { ResolvedCachePolicy } from '../policy.js';
import type { Origin } from './origin.js';
import type { PostgresDatabase } from './postgres/postgres-database.js';
import { postgresTable } from './postgres/postgres-table.js';

/**
 * The origin that a policy names, checked against the database; undefined if it names none. `databases` are the open
 * ones by their name in the configuration. Throws CONFIG, or ORIGIN_UNAVAILABLE if a database cannot be reached.
 */
export async function createOrigin(
  policy: ResolvedCachePolicy,
  databases: ReadonlyMap<string, PostgresDatabase>,
  path = 'cache',
): Promise<Origin | undefined> {
  if (policy.origin === undefined) return undefined;
  const { postgresTable: options } = policy.origin;
  const at = `${path}.origin.postgresTable`;
  return postgresTable(databaseOf(options.database, databases, at), options, at);
}

function databaseOf(
  name: string | undefined,
  databases: ReadonlyMap<string, PostgresDatabase>,
  path: string,
): PostgresDatabase {
  const database = name === undefined && databases.size === 1 ? [...databases.values()][0] : databases.get(name ?? '');
  if (database !== undefined) return database;
  const names = [...databases.keys()].map((known) => `'${known}'`).join(', ') || 'none';
  throw configError([configMistake(`${path}.database`, name, `a name under databases; there are ${names}`)]);
}
