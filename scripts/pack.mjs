import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runPnpm } from './set-up.mjs';

/** What is meant to be published, each after what it depends on. */
const PACKAGES = ['packages/base', 'proto', 'packages/loader', 'packages/client', 'packages/node'];

/**
 * Makes the tarballs that would be published, in .larder/packages, under names without a version, so that what says how
 * to install them stays true. Prints their paths.
 * @param {string} root
 * @returns {Promise<number>} exit code
 */
export async function packAll(root) {
  const folder = join(root, '.larder', 'packages');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const path of PACKAGES) {
    const { name } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
    const tarball = join(folder, `${name.replace('@', '').replace('/', '-')}.tgz`);
    const { code, output } = await runPnpm(root, ['pack', '--out', tarball], {
      cwd: join(root, path),
      stdio: 'capture',
    });
    if (code !== 0) {
      console.error(output);
      return code;
    }
    console.log(tarball);
  }
  return 0;
}
