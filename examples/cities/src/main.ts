import { demonstrate } from './demonstration.js';
import { type Options, parseOptions, USAGE } from './options.js';
import type { Results } from './report/results.js';

const options = readOptions();
if (options !== undefined) {
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
  const impatientMs = 1_000;
  let firstMs: number | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      firstMs ??= performance.now();
      controller.abort();
      if (performance.now() - firstMs > impatientMs) process.exit(130);
    });
  }
  return controller.signal;
}
