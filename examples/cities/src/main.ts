import { demonstrate } from './demonstration.js';
import { type Options, parseOptions, USAGE } from './options.js';
import type { Results } from './report/results.js';

const IMPATIENT_MS = 1_000;
const PARENT_POLL_MS = 500;

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return;
  const output = options.json ? process.stderr : process.stdout;
  const onResults = (results: Results) => {
    if (options.json) console.log(JSON.stringify(results));
    if (results.errors > 0) process.exitCode = 1;
  };
  try {
    await demonstrate(options, { output, signal: stopSignal(), onResults });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

function readOptions(): Options | undefined {
  try {
    const parsed = parseOptions(process.argv.slice(2));
    if (parsed !== 'help') return parsed;
    console.log(USAGE);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exitCode = 2;
  }
  return undefined;
}

/** The first Ctrl-C or SIGTERM stops everything in order. npm passes a Ctrl-C on, so that it may come twice at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let firstMs: number | undefined;
  const stop = () => {
    firstMs ??= performance.now();
    controller.abort();
    if (performance.now() - firstMs > IMPATIENT_MS) process.exit(130);
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);
  if (process.env.npm_lifecycle_event === 'start') whenOrphaned(() => controller.abort());
  return controller.signal;
}

/** Of an npm that was killed nothing is heard, but its children get another parent. */
function whenOrphaned(stop: () => void): void {
  const parent = process.ppid;
  const polling = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(polling);
    stop();
  }, PARENT_POLL_MS).unref();
}

await main();
