import { parseArgs } from 'node:util';
import { ALL_RULES } from '@larder/node/internal';
import type { Batch, BatchResult } from './batch.js';
import { MUTATION_SEEDS_MAX, runMutations } from './mutations.js';
import { randomOptions, type SimulationOptions } from './options.js';
import { runScale } from './scale.js';
import { shrink } from './shrink.js';
import { simulate } from './simulation.js';
import { runOnWorkers } from './worker-pool.js';

/**
 * npm run simulate -- --seeds N [--from N] [--workers N] [--set '{...}']   many seeds; the last line is their sum as JSON
 * npm run simulate -- --seed N [--trace] [--set '{...}']       one seed, its story, and a smaller run that fails too
 * npm run simulate -- --scale [NODES ...]                      what the number of nodes changes, a JSON line each
 * npm run simulate -- --mutations [RULE ...] [--seeds N]       each rule taken away in turn
 */
const BATCH_SEEDS = 20;
const FAILURES_SHOWN_MAX = 20;

const { values, positionals } = readArguments();

const workers = wholeNumber('workers', values.workers, 1, 64);
if (values.scale) {
  const sizes = positionals.map((text) => wholeNumber('scale', text, 3, 500));
  runScale(sizes, (row) => console.log(JSON.stringify(row)));
} else if (values.mutations) {
  const unknown = positionals.find((name) => !Object.hasOwn(ALL_RULES, name));
  if (unknown !== undefined) refuse(`there is no rule '${unknown}'; there are: ${Object.keys(ALL_RULES).join(', ')}`);
  const seedsMax = wholeNumber('seeds', values.seeds ?? String(MUTATION_SEEDS_MAX), 1, 1e9);
  process.exitCode = (await runMutations(positionals, workers, seedsMax)) === 0 ? 0 : 1;
} else if (values.seed !== undefined) {
  process.exitCode = runOne(wholeNumber('seed', values.seed, 0, 2 ** 53));
} else {
  const from = wholeNumber('from', values.from, 0, 2 ** 53);
  process.exitCode = await runMany(from, wholeNumber('seeds', values.seeds ?? '2000', 1, 1e9));
}

function runOne(seed: number): number {
  const options = { ...randomOptions(seed), ...overrides(values.set) };
  const { failure, story, faults, acknowledgedWrites, undecided } = simulate(options, undefined, values.trace);
  for (const line of story) console.log(line);
  if (failure !== undefined) {
    const smaller = shrink(options);
    console.log(`a smaller run that fails: ${smaller.outcome.failure}`);
    console.log(`npm run simulate -- --seed ${seed} --trace --set '${JSON.stringify(smaller.options)}'`);
  }
  console.log(JSON.stringify({ seed, failure: failure ?? null, acknowledgedWrites, faults, undecided }));
  return failure === undefined ? 0 : 1;
}

async function runMany(from: number, seeds: number): Promise<number> {
  const began = performance.now();
  const batches: Batch[] = [];
  for (let at = from; at < from + seeds; at += BATCH_SEEDS) {
    batches.push({
      from: at,
      seeds: Math.min(BATCH_SEEDS, from + seeds - at),
      set: overrides(values.set),
      without: undefined,
      untilFailure: false,
    });
  }
  const sum = {
    seeds: 0,
    failed: 0,
    seconds: 0,
    acknowledgedWrites: 0,
    faults: {} as Record<string, number>,
    undecided: 0,
  };
  await runOnWorkers(batches, workers, (result) => add(sum, result));
  sum.seconds = Math.round((performance.now() - began) / 100) / 10;
  console.log(JSON.stringify(sum));
  return sum.failed === 0 ? 0 : 1;
}

function add(
  sum: { seeds: number; failed: number; acknowledgedWrites: number; faults: Record<string, number>; undecided: number },
  result: BatchResult,
): void {
  for (const { seed, failure } of result.failures) {
    sum.failed++;
    if (sum.failed <= FAILURES_SHOWN_MAX)
      console.log(`seed ${seed}: ${failure}; see npm run simulate -- --seed ${seed} --trace`);
  }
  sum.seeds += result.seeds;
  sum.acknowledgedWrites += result.acknowledgedWrites;
  sum.undecided += result.undecided;
  for (const [name, count] of Object.entries(result.faults)) sum.faults[name] = (sum.faults[name] ?? 0) + count;
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: 'string' },
        seeds: { type: 'string' },
        from: { type: 'string', default: '0' },
        workers: { type: 'string', default: '2' },
        set: { type: 'string', default: '{}' },
        trace: { type: 'boolean', default: false },
        scale: { type: 'boolean', default: false },
        mutations: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function overrides(text: string): Partial<SimulationOptions> {
  try {
    return JSON.parse(text);
  } catch {
    return refuse(`--set is '${text}'; allowed is a JSON object of options, such as '{"nodes":2}'`);
  }
}

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    refuse(`--${name} is '${text}'; allowed are whole numbers from ${least} to ${most}`);
  }
  return value;
}
