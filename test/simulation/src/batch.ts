import { ALL_RULES, type ProtocolRules } from '@larder/node/internal';
import { randomOptions, type SimulationOptions } from './options.js';
import { simulate } from './simulation.js';

/** A row of seeds, run one after another, and what came of them. */
export interface Batch {
  readonly from: number;
  readonly seeds: number;
  /** The rule that is taken away; undefined: none. */
  readonly without: keyof ProtocolRules | undefined;
  /** What the seeds do not decide. */
  readonly set?: Partial<SimulationOptions>;
  /** Stop at the first failure. */
  readonly untilFailure: boolean;
}

export interface BatchResult {
  readonly batch: Batch;
  readonly seeds: number;
  readonly failures: readonly { readonly seed: number; readonly failure: string }[];
  readonly acknowledgedWrites: number;
  readonly undecided: number;
  readonly faults: Readonly<Record<string, number>>;
}

export function runBatch(batch: Batch): BatchResult {
  const rules: ProtocolRules = batch.without === undefined ? ALL_RULES : { ...ALL_RULES, [batch.without]: false };
  const failures: { seed: number; failure: string }[] = [];
  const faults: Record<string, number> = {};
  let acknowledgedWrites = 0;
  let undecided = 0;
  let seeds = 0;
  for (let seed = batch.from; seed < batch.from + batch.seeds; seed++) {
    const outcome = simulate({ ...randomOptions(seed), ...batch.set }, rules);
    seeds++;
    acknowledgedWrites += outcome.acknowledgedWrites;
    undecided += outcome.undecided;
    for (const [name, count] of Object.entries(outcome.faults)) faults[name] = (faults[name] ?? 0) + count;
    if (outcome.failure === undefined) continue;
    failures.push({ seed, failure: outcome.failure });
    if (batch.untilFailure) break;
  }
  return { batch, seeds, failures, acknowledgedWrites, undecided, faults };
}
