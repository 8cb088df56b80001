import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder below the temporary folder that is the same at every run, for what is worth keeping but has no place where
 * everyone may enter. Its name can be guessed, so it is used only if it is ours and nobody else may write to it.
 */
export function privateFolder(name: string): string {
  const user = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `larder-${user}-${name}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const { uid, mode } = lstatSync(folder);
  if (uid !== user || (mode & 0o170022) !== 0o040000)
    throw new Error(`${folder} belongs to somebody else or may be written by others; remove it`);
  return folder;
}
