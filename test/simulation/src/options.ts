import { type Random, seededRandom } from '@larder/base';

/** What a seed decides: the size of everything, and what may go wrong. */
export interface SimulationOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly partitions: number;
  readonly keysPerPartition: number;
  readonly clients: number;
  /** Most milliseconds that a client thinks between two calls. */
  readonly thinkMsMax: number;
  readonly zones: number;
  readonly copiesMin: 1 | 2;
  /** 0: an ideal store outside of the nodes. */
  readonly voters: 0 | 1 | 3 | 5;
  readonly safetyMs: number;
  readonly clockDriftMax: number;
  readonly network: NetworkOptions;
  readonly storeLossShare: number;
  readonly storeLateShare: number;
  /** Mean time between two faults. */
  readonly faultEveryMs: number;
  /** Kinds of faults that this seed may have, out of those that its cluster can have. */
  readonly faults: readonly FaultKind[];
  /** Of writes that are given a ttl. */
  readonly ttlShare: number;
  /** Of keys; the others have no origin. */
  readonly writeBehindShare: number;
  readonly writeThroughShare: number;
  readonly evictions: boolean;
  /** The database has a fence in place of a version column. */
  readonly fenced: boolean;
  /** Mean time between two invalidations; 0: none. */
  readonly invalidateEveryMs: number;
}

export interface NetworkOptions {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Of messages that are slow. */
  readonly slowShare: number;
  readonly slowMsMax: number;
  readonly lossShare: number;
  readonly repeatShare: number;
}

export const FAULT_KINDS = [
  'kill',
  'kill-fast',
  'kill-two',
  'pause',
  'pause-long',
  'suspend',
  'clock-jump',
  'cut-one-way',
  'cut-pair',
  'isolate',
  'stream-break',
  'store-down',
  'store-slow',
  'store-cut',
  'slow-network',
  'drain',
  'join',
  'voter-kill',
  'voter-wipe',
  'strand',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export function randomOptions(seed: number): SimulationOptions {
  const random = seededRandom(seed);
  const nodes = pick(random, [2, 3, 3, 3, 4, 5]);
  const voters = pick(random, [0, 0, 1, 3, 3, 5] as const);
  const rough = random.next() < 0.3;
  const possible = FAULT_KINDS.filter((kind) => (kind.startsWith('voter') ? voters >= 3 : true));
  const chosen = possible.filter(() => random.next() < 0.55);
  return {
    seed,
    nodes,
    partitions: pick(random, [1, 2, 2, 3, 4]),
    keysPerPartition: pick(random, [2, 3, 6]),
    clients: pick(random, [2, 3, 4, 6]),
    thinkMsMax: pick(random, [40, 80, 200]),
    zones: pick(random, [1, 1, 2]),
    copiesMin: random.next() < 0.15 ? 2 : 1,
    voters,
    safetyMs: 4_000 + random.next() * 7_000,
    clockDriftMax: pick(random, [0, 0.001, 0.009]),
    network: {
      delayMsMin: 0.1,
      delayMsMax: pick(random, [1, 4, 20]),
      slowShare: rough ? 0.01 : 0,
      slowMsMax: pick(random, [50, 300, 900]),
      lossShare: rough ? pick(random, [0, 0.002, 0.02]) : 0,
      repeatShare: rough ? 0.02 : 0,
    },
    storeLossShare: pick(random, [0, 0, 0.02, 0.15]),
    storeLateShare: pick(random, [0, 0, 0.05]),
    faultEveryMs: pick(random, [400, 800, 1_500, 3_000]),
    faults: chosen.length === 0 ? ['kill'] : chosen,
    ttlShare: pick(random, [0, 0.1, 0.3]),
    writeBehindShare: pick(random, [0, 0.5]),
    evictions: random.next() < 0.3,
    writeThroughShare: pick(random, [0, 0.2, 0.5]),
    fenced: random.next() < 0.5,
    // Drawn last: all else is as it was without.
    invalidateEveryMs: pick(random, [0, 0, 200, 600]),
  };
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.integer(choices.length)]!;
}
