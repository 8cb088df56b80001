import { cut, oneWay, pair } from './cut.js';
import { freeze } from './freeze.js';
import { kill } from './kill.js';
import { rolling } from './rolling.js';
import { scale } from './scale.js';
import type { Faults, Scenario } from './scenario.js';
import { slow } from './slow.js';
import { voter } from './voter.js';

/** A wiped voter is not among them: it never votes again, and with the next voter down nobody could take over. */
const MIXED: readonly Scenario[] = [
  kill,
  freeze,
  cut,
  pair,
  oneWay,
  slow,
  kill,
  freeze,
  cut,
  oneWay,
  slow,
  rolling,
  scale,
];

/** One of all the others, by chance. */
async function mixed(faults: Faults): Promise<void> {
  await (MIXED[faults.world.random.integer(MIXED.length)] as Scenario)(faults);
}

export interface ScenarioFacts {
  readonly run: Scenario;
  /** Whether the network has to be able to delay. */
  readonly delay: boolean;
}

export const SCENARIOS = {
  kill: { run: kill, delay: false },
  freeze: { run: freeze, delay: false },
  cut: { run: cut, delay: false },
  pair: { run: pair, delay: false },
  'one-way': { run: oneWay, delay: false },
  slow: { run: slow, delay: true },
  voter: { run: voter, delay: false },
  rolling: { run: rolling, delay: false },
  scale: { run: scale, delay: false },
  mixed: { run: mixed, delay: true },
} as const satisfies Record<string, ScenarioFacts>;

export type ScenarioName = keyof typeof SCENARIOS;
