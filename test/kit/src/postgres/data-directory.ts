import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { PostgresBinaries } from './postgres-binaries.js';
import { privateFolder } from './private-folder.js';
import { canEnter, type User } from './unprivileged-user.js';

export const SUPERUSER = 'larder';

export interface DataDirectory {
  readonly path: string;
  /** Of SUPERUSER. Without one, any user of this machine could run commands as ours through the server. */
  readonly password: string;
}

/**
 * The data directory below `folder`, made by initdb if it is not there yet. If the server runs as a user who cannot
 * enter `folder`, the data is kept in a folder of the same fate below the temporary folder.
 */
export function dataDirectory(folder: string, binaries: PostgresBinaries, user: User | undefined): DataDirectory {
  mkdirSync(folder, { recursive: true });
  const home = canEnter(user, folder) ? folder : privateFolder(`data-${shortHash(resolve(folder))}`);
  const path = join(home, String(binaries.majorVersion));
  const passwordPath = `${path}.password`;
  if (existsSync(path)) return { path, password: readFileSync(passwordPath, 'utf8') };
  const password = randomBytes(12).toString('hex');
  writeFileSync(passwordPath, password, { mode: 0o600 });
  initialize(path, passwordPath, binaries, user);
  return { path, password };
}

/** initdb works in a folder that is renamed only when all went well, so that an interrupted one leaves nothing half-made. */
function initialize(path: string, passwordPath: string, binaries: PostgresBinaries, user: User | undefined): void {
  const unfinished = `${path}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  chmodSync(unfinished, 0o700);
  if (user !== undefined) for (const owned of [unfinished, passwordPath]) chownSync(owned, user.uid, user.gid);
  const options = [`--username=${SUPERUSER}`, `--pwfile=${passwordPath}`, '--auth=scram-sha-256'];
  const { status, stderr, error } = spawnSync(
    binaries.initdb,
    [`--pgdata=${unfinished}`, ...options, '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'],
    { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'], ...user },
  );
  if (status !== 0) {
    const reason = error?.message ?? stderr.trim();
    throw new Error(`initdb failed, ${reason}. Or set DATABASE_URL to a PostgreSQL of your own`, { cause: error });
  }
  renameSync(unfinished, path);
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
