/**
 * Where every npm script begins. On a machine that has only Node and npm it installs and builds first, without anything
 * global; then it runs the target in this very process, so that signals and exit codes are the target's own.
 *
 *   node scripts/bootstrap.mjs start [options]         the demonstration, examples/cities
 *   node scripts/bootstrap.mjs test [vitest options]   all checks and tests; with options, only those tests
 *   node scripts/bootstrap.mjs bench NAME [options]    a benchmark
 *   node scripts/bootstrap.mjs simulate [options]      the simulator of the cluster
 *   node scripts/bootstrap.mjs chaos [options]         faults on a cluster of real processes
 *   node scripts/bootstrap.mjs build | lint | pack
 *
 * This file imports nothing that a too old Node would stumble over before it could be told so.
 */
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [command = '', ...args] = process.argv.slice(2);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Larder needs Node 20.19 or newer, and this is Node ${process.versions.node}: https://nodejs.org`);
  process.exit(1);
}

const { setUp } = await import('./set-up.mjs');

/** Each resolves with its exit code. @type {Record<string, () => Promise<number>>} */
const commands = {
  start: () => runBuilt('../examples/cities/dist/main.js'),
  bench: () => runBuilt('../bench/dist/main.js'),
  simulate: () => runBuilt('../test/simulation/dist/main.js'),
  chaos: () => runBuilt('../test/chaos/dist/main.js'),
  test: async () => (await import('./test-run.mjs')).testRun(root, args),
  lint: async () => (await import('./checks.mjs')).runChecks(root),
  pack: async () => (await import('./pack.mjs')).packAll(root),
  build: async () => 0,
};

const run = Object.hasOwn(commands, command) ? commands[command] : undefined;
if (run === undefined) {
  console.error(`unknown command '${command}'; there are: ${Object.keys(commands).join(', ')}`);
  process.exit(2);
}
const setUpCode = await setUp(root);
if (setUpCode !== 0 && command === 'test') console.log('0 passed, 1 failed');
const code = setUpCode || (await run());
if (code !== 0) process.exitCode = code;

/** The target may go on after its module has run, and sets its own exit code. @param {string} path */
async function runBuilt(path) {
  const url = new URL(path, import.meta.url);
  process.argv = [process.execPath, fileURLToPath(url), ...args];
  await import(url.href);
  return 0;
}
