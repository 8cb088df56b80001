import { configError, configMistake } from '../config-check.js';
import type { ResolvedCachePolicy } from '../policy.js';
import { GuardedOrigin } from './guarded-origin.js';
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
  const [name, database] = databaseOf(options.database, databases, at);
  const isWritten = policy.write !== 'memory';
  if (isWritten) await database.fence?.open(`databases.${name}`);
  const origin = await postgresTable(database, options, at, isWritten);
  return database.breaker === undefined ? origin : new GuardedOrigin(origin, database.breaker);
}

function databaseOf(
  name: string | undefined,
  databases: ReadonlyMap<string, PostgresDatabase>,
  path: string,
): readonly [string, PostgresDatabase] {
  const known = [...databases];
  const found = name === undefined && known.length === 1 ? known[0] : known.find(([other]) => other === name);
  if (found !== undefined) return found;
  const names = known.map(([other]) => `'${other}'`).join(', ') || 'none';
  throw configError([configMistake(`${path}.database`, name, `a name under databases; there are ${names}`)]);
}
