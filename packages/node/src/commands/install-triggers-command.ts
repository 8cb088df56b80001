import { currentRole, PostgresDatabase, readWatchedTable, type WatchedTable, watchStatements } from '@larder/loader';
import { LarderError, toLarderError } from '@larder/proto';
import { configError } from '../config/problems.js';
import { readNodeConfig } from '../config.js';
import { ExitCode, startFault } from '../exit-code.js';
import { watchedOf } from '../watch-tables.js';
import { usage } from './connected-arguments.js';

/**
 * `larder-node postgres install-triggers --config FILE [--print]`: has the tables of all caches that say `watch` note what
 * other programs change in them. May be repeated; `--print` says what it would run, and runs nothing.
 */

export const installTriggersFlags = {
  config: { type: 'string', description: 'Configuration file, YAML or JavaScript', valueHint: 'FILE' },
  print: { type: 'boolean', description: 'Print the SQL, and run nothing' },
} as const;

/** Throws BAD_ARGUMENT, CONFIG or ORIGIN_UNAVAILABLE with the exit code. */
export async function installTriggersCommand(args: readonly string[], print: (text: string) => void): Promise<void> {
  const { configPath, isPrinted } = parse(args);
  const config = await readNodeConfig(configPath, process.env);
  const databases = new Map([...config.databases].map(([name, options]) => [name, new PostgresDatabase(options)]));
  try {
    const tables = new Map<PostgresDatabase, WatchedTable[]>();
    for (const cache of config.caches.keys()) {
      const watched = watchedOf(config, cache, databases);
      if (watched === undefined) continue;
      const table = await readWatchedTable(watched.database, watched.options, watched.path);
      tables.set(watched.database, [...(tables.get(watched.database) ?? []), table]);
    }
    if (tables.size === 0) {
      throw configError(config.file, [
        'caches: none has origin.postgresTable.watch: true, so there is nothing to install',
      ]);
    }
    for (const [database, watched] of tables) await install(database, watched, isPrinted, print);
  } catch (error) {
    throw faultOf(error, config.file);
  } finally {
    for (const database of databases.values()) await database.close();
  }
}

async function install(
  database: PostgresDatabase,
  tables: readonly WatchedTable[],
  isPrinted: boolean,
  print: (text: string) => void,
): Promise<void> {
  const statements = watchStatements(tables, await currentRole(database));
  if (isPrinted) {
    print([`-- ${database.label}`, 'BEGIN;', ...statements.map((text) => `${text};`), 'COMMIT;'].join('\n'));
    return;
  }
  await database.runAll(statements);
  for (const { table } of tables) print(`${database.label}: ${table} is watched`);
}

function parse(args: readonly string[]): { readonly configPath: string; readonly isPrinted: boolean } {
  let configPath = '';
  let isPrinted = false;
  for (let index = 0; index < args.length; index++) {
    const argument = args[index]!;
    if (argument === '--print') isPrinted = true;
    else if (argument === '--config') configPath = args[++index] ?? '';
    else if (argument.startsWith('--config=')) configPath = argument.slice('--config='.length);
    else throw usage(`unknown argument ${argument}. Allowed are --config and --print`);
  }
  if (configPath === '') throw usage('--config is missing; give the path of the configuration file of the nodes');
  return { configPath, isPrinted };
}

function faultOf(thrown: unknown, file: string): unknown {
  if (!(thrown instanceof LarderError) || thrown.details?.exitCode !== undefined) return thrown;
  const { code, reason } = toLarderError(thrown);
  if (code === 'CONFIG') return configError(file, reason.split('\n'));
  return startFault(ExitCode.databaseUnavailable, code, reason, thrown);
}
