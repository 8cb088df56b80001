import { parseArgs } from 'node:util';
import { type ChaosResult, chaosRun } from './chaos-run.js';
import type { NetworkKind } from './network/chaos-network.js';
import { FULL_PACE } from './scenarios/scenario.js';
import { SCENARIOS, type ScenarioName } from './scenarios/scenarios.js';

/**
 * npm run chaos -- --scenario NAME [--minutes M] [--network namespaces|proxy] [--json]
 *
 * Faults of one kind under load, on real processes. The last line is the sum of it as JSON; with --json it is the only
 * one on standard output. Exit code 1 if anything was lost, stale, owned twice or went wrong otherwise; 2 for arguments.
 */
const MINUTES_MAX = 24 * 60;

const INTERRUPTED = 130;

const options = readArguments();
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());
const progress = (line: string): void => console.error(`${process.uptime().toFixed(1)} s: ${line}`);
const { result, story } = await chaosRun({ ...options, progress, signal: interrupt.signal }).catch((error: unknown) => {
  console.error(interrupt.signal.aborted ? 'interrupted' : error);
  process.exit(interrupt.signal.aborted ? INTERRUPTED : 1);
});
for (const line of story) (options.json ? console.error : console.log)(line);
console.log(JSON.stringify(result));
process.exitCode = isFine(result) ? 0 : 1;

function isFine({ lost, staleReads, doubleOwners, problems }: ChaosResult): boolean {
  return lost + staleReads + doubleOwners + problems === 0;
}

function readArguments() {
  const { scenario, minutes, network, json } = parsed();
  if (scenario === undefined) refuse(`--scenario is missing; there are: ${names()}`);
  if (!Object.hasOwn(SCENARIOS, scenario)) refuse(`--scenario is '${scenario}'; there are: ${names()}`);
  if (network !== undefined && network !== 'namespaces' && network !== 'proxy') {
    refuse(`--network is '${network}'; allowed are namespaces and proxy`);
  }
  const durationMs = minutesOf(minutes) * 60_000;
  return {
    scenario: scenario as ScenarioName,
    durationMs,
    pace: FULL_PACE,
    network: network as NetworkKind | undefined,
    json,
  };
}

function parsed() {
  try {
    const { values } = parseArgs({
      options: {
        scenario: { type: 'string' },
        minutes: { type: 'string', default: '1' },
        network: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function minutesOf(text: string): number {
  const minutes = Number(text);
  if (text.trim() === '' || !(minutes > 0 && minutes <= MINUTES_MAX)) {
    refuse(`--minutes is '${text}'; allowed are numbers above 0, up to ${MINUTES_MAX}`);
  }
  return minutes;
}

function names(): string {
  return Object.keys(SCENARIOS).join(', ');
}

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}
