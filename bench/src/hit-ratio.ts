import type { EvictionPolicyName } from '@larder/node/internal';
import { readReference } from './hit-ratio/reference.js';
import { replay } from './hit-ratio/replay.js';
import { type HitRatioRow, rowOf, summaries } from './hit-ratio/rows.js';
import { readTrace, readTraceFile, type Trace } from './hit-ratio/trace.js';
import { integers, names, parseOptions, text, UsageError } from './options.js';

/**
 * Hit ratios of the eviction policies on traces, replayed through the real storage engine from an empty cache.
 *
 *   hit-ratio --trace FILE [--trace FILE]... [--sizes 100,1000] [--policies adaptive,lru]
 *   hit-ratio --reference FILE --traces DIR [--only loop,scan]
 *
 * A line of a trace is a key, or `key,size`; then sizes are bounds in bytes, otherwise numbers of entries. Without
 * --sizes: 1, 5 and 20 % of the distinct keys or of their bytes.
 */
const POLICIES = ['adaptive', 'lru', 'lfu', 'fifo', 'ttl', 'random'] as const satisfies readonly EvictionPolicyName[];
const DEFAULT_SHARES = [0.01, 0.05, 0.2];
/** The least that a cache with sizes may be given. */
const SIZED_BYTES_MIN = 4096;

/** One trace with what it is to be replayed at. */
interface Task {
  readonly trace: Trace;
  readonly sizes: readonly number[];
  reference(size: number): Readonly<Record<string, number>> | undefined;
}

export async function run(argv: string[]): Promise<object> {
  const { files, rest } = splitTraces(argv);
  const options = parseOptions(rest, {
    sizes: integers({ otherwise: [], min: 1, max: 2 ** 33 }),
    policies: { ...names(POLICIES), otherwise: ['adaptive', 'lru'] as readonly EvictionPolicyName[] },
    reference: text('a JSON file of reference hit counts'),
    traces: text('the folder of the traces that the reference names'),
    only: text('names of traces with commas between them'),
  });
  if (files.length === 0 && options.reference === undefined) {
    throw new UsageError('nothing to replay; give --trace FILE, or --reference FILE with --traces DIR');
  }
  const rows: HitRatioRow[] = [];
  for (const file of files) replayAll(await taskOfFile(file, options.sizes), options.policies, rows);
  if (options.reference !== undefined) {
    const only = options.only?.split(',');
    for (const entry of await readReference(options.reference)) {
      if (only !== undefined && !only.includes(entry.trace)) continue;
      const trace = await readTrace(entry.trace, entry.files, options.traces);
      const sizes = options.sizes.length > 0 ? options.sizes : Object.keys(entry.sizes).map(Number);
      replayAll({ trace, sizes, reference: (size) => entry.sizes[size] }, options.policies, rows);
    }
  }
  return { bench: 'hit-ratio', rows, byPolicy: summaries(rows) };
}

function replayAll(task: Task, policies: readonly EvictionPolicyName[], rows: HitRatioRow[]): void {
  const { name, requests } = task.trace;
  for (const size of task.sizes) {
    for (const policy of policies) {
      const startedMs = performance.now();
      const hits = replay(task.trace, size, policy);
      const row = rowOf(name, size, policy, requests.length, hits, task.reference(size));
      rows.push(row);
      process.stderr.write(`${describe(row)}  ${Math.round(performance.now() - startedMs)} ms\n`);
    }
  }
}

function describe({ trace, size, policy, ratio, lru, requests, share }: HitRatioRow): string {
  const own = `${trace.padEnd(24)} ${String(size).padStart(9)} ${policy.padEnd(8)} ${(100 * ratio).toFixed(2).padStart(6)} %`;
  const beside = lru === undefined ? '' : `  lru ${((100 * lru) / requests).toFixed(2).padStart(6)} %`;
  return own + beside + (share === undefined ? '' : `  share ${(100 * share).toFixed(1).padStart(6)} %`);
}

async function taskOfFile(file: string, sizes: readonly number[]): Promise<Task> {
  const trace = await readTraceFile(file);
  return { trace, sizes: sizes.length > 0 ? sizes : defaultSizes(trace), reference: () => undefined };
}

function defaultSizes({ keys, requests, sizes }: Trace): number[] {
  if (sizes === undefined) return DEFAULT_SHARES.map((share) => Math.max(1, Math.round(share * keys.length)));
  const bytesOfKeys = new Float64Array(keys.length);
  requests.forEach((number, index) => {
    bytesOfKeys[number] = keys[number]!.length + sizes[index]!;
  });
  const total = bytesOfKeys.reduce((sum, bytes) => sum + bytes, 0);
  return DEFAULT_SHARES.map((share) => Math.max(SIZED_BYTES_MIN, Math.round(share * total)));
}

/** `--trace` may be there more than once. */
function splitTraces(argv: readonly string[]): { files: string[]; rest: string[] } {
  const files: string[] = [];
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (argument === '--trace') {
      const file = argv[++index];
      if (file === undefined) throw new UsageError('--trace must be a file, got nothing');
      files.push(file);
    } else if (argument.startsWith('--trace=')) {
      files.push(argument.slice('--trace='.length));
    } else {
      rest.push(argument);
    }
  }
  return { files, rest };
}
