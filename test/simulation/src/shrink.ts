import type { SimulationOptions } from './options.js';
import { type Outcome, simulate } from './simulation.js';

/**
 * Makes a failing run smaller, as far as is cheap: each wish in turn is kept if the run still fails, in whatever way.
 * The failure may become another one; that is as good a place to begin as any.
 */
const WISHES: readonly ((options: SimulationOptions) => Partial<SimulationOptions>)[] = [
  ({ safetyMs }) => ({ safetyMs: safetyMs / 2 }),
  () => ({ partitions: 1 }),
  () => ({ keysPerPartition: 1 }),
  () => ({ clients: 1 }),
  () => ({ clients: 2 }),
  () => ({ nodes: 2 }),
  () => ({ nodes: 3 }),
  ({ faults }) => ({ voters: 0, faults: faults.filter((kind) => !kind.startsWith('voter')) }),
  () => ({ zones: 1 }),
  () => ({ ttlShare: 0, evictions: false }),
  () => ({ writeBehindShare: 0 }),
  () => ({ writeThroughShare: 0 }),
  () => ({ clockDriftMax: 0 }),
  () => ({ storeLossShare: 0, storeLateShare: 0 }),
  ({ network }) => ({ network: { ...network, lossShare: 0, repeatShare: 0, slowShare: 0 } }),
  () => ({ thinkMsMax: 150 }),
  ({ faultEveryMs }) => ({ faultEveryMs: faultEveryMs * 2 }),
];

export interface Shrunk {
  readonly options: SimulationOptions;
  readonly outcome: Outcome;
}

export function shrink(failing: SimulationOptions): Shrunk {
  const wishes = [
    ...failing.faults.map((kind) => (options: SimulationOptions) => ({
      faults: options.faults.length > 1 ? options.faults.filter((other) => other !== kind) : options.faults,
    })),
    ...WISHES,
  ];
  let options = failing;
  for (const wish of wishes) {
    const smaller = { ...options, ...wish(options) };
    if (simulate(smaller).failure !== undefined) options = smaller;
  }
  return { options, outcome: simulate(options, undefined, true) };
}
