import { UsageError } from './options.js';

/**
 * `main.js NAME [options]` runs one bench. Its result is the last line on stdout, one JSON object; everything else that
 * a bench has to say goes to stderr. Exit codes: 0 done, 1 the bench failed, 2 the command line is wrong.
 */

interface Bench {
  run(argv: string[]): Promise<object>;
}

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  get: () => import('./get.js'),
  set: () => import('./set.js'),
  'hit-ratio': () => import('./hit-ratio.js'),
  storage: () => import('./storage.js'),
  memory: () => import('./memory.js'),
  load: () => import('./load.js'),
  writes: () => import('./writes.js'),
  poison: () => import('./poison.js'),
  'cold-key': () => import('./cold-key.js'),
  refresh: () => import('./refresh.js'),
  outage: () => import('./outage.js'),
  'node-loss': () => import('./node-loss.js'),
  invalidate: () => import('./invalidate.js'),
  join: () => import('./join.js'),
  're-replicate': () => import('./re-replicate.js'),
  'both-copies': () => import('./both-copies.js'),
};

async function main(argv: string[]): Promise<number> {
  const [name = '', ...rest] = argv;
  const load = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (load === undefined) {
    process.stderr.write(
      `${name === '' ? 'no bench named' : `unknown bench '${name}'`}; there are ${Object.keys(BENCHES).join(', ')}\n`,
    );
    return 2;
  }
  try {
    const bench = await load();
    const result = await bench.run(rest);
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${name}: ${error.message}\n`);
      return 2;
    }
    process.stderr.write(`${name}: ${error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
