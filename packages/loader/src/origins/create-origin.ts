import { type Clock, systemClock } from '@larder/base';
import { configError, configMistake } from '../config-check.js';
import type { ResolvedCachePolicy } from '../policy.js';
import { GuardedOrigin } from './guarded-origin.js';
import { moduleOrigin } from './module/module-origin.js';
import type { Origin } from './origin.js';
import { databaseSetting, type OriginPolicy } from './origin-policy.js';
import type { PostgresDatabase } from './postgres/postgres-database.js';
import { postgresQuery } from './postgres/postgres-query.js';
import { postgresTable } from './postgres/postgres-table.js';

/** What an origin that is a module needs to know. */
export interface OriginSurroundings {
  /** The cache's name. Default: ''. */
  readonly cache?: string;
  /** That of the configuration file. Default: the working directory. */
  readonly folder?: string;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/**
 * The origin that a policy names, checked against the database; undefined if it names none. `databases` are the open
 * ones by their name in the configuration. Throws CONFIG, or ORIGIN_UNAVAILABLE if a database cannot be reached.
 */
export async function createOrigin(
  policy: ResolvedCachePolicy,
  databases: ReadonlyMap<string, PostgresDatabase>,
  path = 'cache',
  surroundings: OriginSurroundings = {},
): Promise<Origin | undefined> {
  if (policy.origin === undefined) return undefined;
  const isWritten = policy.write !== 'memory';
  if (policy.origin.module !== undefined) {
    const { cache = '', folder = '.', clock = systemClock } = surroundings;
    const setting = { cache, folder, clock, isWritten, path: `${path}.origin.module` };
    return moduleOrigin(policy.origin.module, setting);
  }
  return databaseOrigin(policy.origin, databases, path, isWritten);
}

async function databaseOrigin(
  policy: OriginPolicy,
  databases: ReadonlyMap<string, PostgresDatabase>,
  path: string,
  isWritten: boolean,
): Promise<Origin | undefined> {
  const setting = databaseSetting(policy);
  if (setting === undefined) return undefined;
  const at = `${path}.origin.${setting.kind}`;
  const [name, database] = databaseOf(setting.database, databases, at);
  if (isWritten) await database.fence?.open(`databases.${name}`);
  const origin = policy.postgresTable
    ? await postgresTable(database, policy.postgresTable, at, isWritten)
    : policy.postgresQuery && (await postgresQuery(database, policy.postgresQuery, at));
  return origin === undefined || database.breaker === undefined ? origin : new GuardedOrigin(origin, database.breaker);
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
