/**
 * What `npm start`, `npm test` and the others need before they can run: packages installed, TypeScript built. Both are
 * skipped when there is nothing to do, so that a second run costs less than a second.
 */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { runProcess } from './run-process.mjs';

const PNPM = 'pnpm@12.21.0';

/**
 * Installs if the lockfile has changed, then builds what has changed. Everything it prints goes to stderr.
 * @param {string} root the checkout
 * @returns {Promise<number>} exit code, 0 if all is well
 */
export function setUp(root) {
  const onWait = (/** @type {string} */ holder) => say(`waiting for ${holder}, which is setting this checkout up`);
  return withLock(join(root, '.larder', 'set-up.lock'), async () => (await install(root)) || build(root), { onWait });
}

/**
 * The program of an installed package, run by this very Node.
 * @param {string} root
 * @param {string} path below node_modules
 * @param {readonly string[]} args
 * @param {Parameters<typeof runProcess>[2]} [options]
 */
export function runTool(root, path, args, options) {
  return runProcess(process.execPath, [join(root, 'node_modules', path), ...args], { cwd: root, ...options });
}

/**
 * pnpm, without anything installed for it. npm tells its scripts where it is; run by hand, the one on the PATH is taken.
 * @param {string} root
 * @param {readonly string[]} args
 * @param {Parameters<typeof runProcess>[2]} [options]
 */
export function runPnpm(root, args, options) {
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm?.endsWith('.js') ? [process.execPath, npm] : ['npm'];
  const exec = ['exec', '--yes', `--package=${PNPM}`, '--', 'pnpm'];
  return runProcess(command ?? 'npm', [...first, ...exec, ...args], { cwd: root, env: { CI: 'true' }, ...options });
}

/** @param {string} root */
async function install(root) {
  const stampPath = join(root, 'node_modules', '.larder-stamp');
  const stamp = stampOf(root);
  if (readIfThere(stampPath) === stamp) return 0;
  say('installing packages (only when the lockfile has changed)');
  rmSync(stampPath, { force: true });
  const { code } = await runPnpm(root, ['install', '--frozen-lockfile'], { stdio: 'to-stderr' });
  if (code === 0) writeFileSync(stampPath, stamp);
  else say(`installing failed with exit code ${code}. It needs npm's registry once; is the network up?`);
  return code;
}

/** @param {string} root */
async function build(root) {
  const { code } = await runTool(root, 'typescript/bin/tsc', ['-b'], { stdio: 'to-stderr' });
  if (code !== 0) say('the build failed; see above');
  return code;
}

/** Binaries differ by platform, so a checkout shared with a container installs anew. @param {string} root */
function stampOf(root) {
  const hash = createHash('sha256');
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(root, file)));
  return `${hash.digest('hex')} ${process.platform}-${process.arch} ${PNPM}\n`;
}

/** @param {string} path */
function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** @param {string} message */
function say(message) {
  process.stderr.write(`larder: ${message}\n`);
}
