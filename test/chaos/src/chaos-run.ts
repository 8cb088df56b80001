import type { ChaosWorld } from './chaos-world.js';
import { monotonicMs } from './load/monotonic.js';
import type { NetworkKind } from './network/chaos-network.js';
import { Faults, type Pace } from './scenarios/scenario.js';
import { SCENARIOS, type ScenarioName } from './scenarios/scenarios.js';
import { startWorld } from './start-world.js';

export interface ChaosRunOptions {
  readonly scenario: ScenarioName;
  /** No further round of faults begins after this; there is at least one. */
  readonly durationMs: number;
  readonly pace: Pace;
  readonly network?: NetworkKind | undefined;
  /** Is told of each step, for people. */
  readonly progress?: ((line: string) => void) | undefined;
  /** Ends the run, and everything that it has started. */
  readonly signal?: AbortSignal | undefined;
}

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What a run has shown, as it is printed. Times in milliseconds. */
export interface ChaosResult {
  readonly scenario: ScenarioName;
  readonly network: NetworkKind;
  readonly faults: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly staleReads: number;
  readonly doubleOwners: number;
  readonly failedCalls: number;
  readonly unknownOutcomes: number;
  readonly undecided: number;
  readonly problems: number;
  /** Of the clients' calls, all through the run. */
  readonly callMs: Percentiles;
  readonly windowMs: Percentiles;
}

export interface ChaosOutcome {
  readonly result: ChaosResult;
  /** What was wrong, and which errors clients met, for people. */
  readonly story: readonly string[];
}

/** Runs one scenario on a cluster of its own. */
export async function chaosRun(options: ChaosRunOptions): Promise<ChaosOutcome> {
  const { run, delay } = SCENARIOS[options.scenario];
  const { progress = () => {} } = options;
  const world = await startWorld({ delay, kind: options.network });
  progress(`a cluster of ${world.cluster.nodes.length} nodes on a network of ${world.network.kind}`);
  const running = async (): Promise<ChaosOutcome> => {
    const faults = new Faults(world, options.pace, progress);
    const untilMs = monotonicMs() + options.durationMs;
    do await run(faults);
    while (monotonicMs() < untilMs);
    progress('no more faults: the keys are audited, the nodes drained');
    await world.finish();
    return outcomeOf(options.scenario, world, faults);
  };
  try {
    return await unlessAborted(running(), options.signal);
  } finally {
    await world.stop();
  }
}

/** What goes on after that finds its processes gone; nobody listens to what it says then. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(new Error('the run was interrupted'));
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
  return Promise.race([work, aborted]);
}

function outcomeOf(scenario: ScenarioName, world: ChaosWorld, faults: Faults): ChaosOutcome {
  const { counts, owners, stories, errors, problems, callTimes } = world.evidence;
  const { acknowledged, lost, staleReads, failedCalls, unknownOutcomes, undecided } = counts;
  const doubleOwners = owners.found.length;
  return {
    result: {
      scenario,
      network: world.network.kind,
      faults: faults.count,
      acknowledged,
      lost,
      staleReads,
      doubleOwners,
      failedCalls,
      unknownOutcomes,
      undecided,
      problems,
      callMs: {
        p50: rounded(callTimes.percentileMs(0.5)),
        p99: rounded(callTimes.percentileMs(0.99)),
        max: rounded(callTimes.maxMs),
      },
      windowMs: percentiles(faults.windowsMs),
    },
    story: [
      ...stories,
      ...owners.found.map(({ partition, nodes, epochs }) => {
        return `double owner of partition ${partition}: ${nodes.join(' and ')} under epochs ${epochs.join(' and ')}`;
      }),
      ...errors.map(([error, count]) => `${count} times ${error}`),
    ],
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function percentiles(windowsMs: readonly number[]): Percentiles {
  const sorted = [...windowsMs].sort((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
