import { ALL_RULES, LAN_TIMERS, type ProtocolRules } from '@larder/node/internal';
import { checkDatabase, checkReplicas } from './checkers/quiet-cluster.js';
import { Cluster } from './cluster.js';
import { Faults } from './faults.js';
import { checkLinearizability } from './linearizability.js';
import type { SimulationOptions } from './options.js';

/**
 * One run: a cluster is founded, its clients begin, and for the safety phase faults do their worst while every step is
 * checked. Then all that can be healed is healed, and the cluster must come to serve everything again, and to hold
 * everything twice. At last the clients stop, and what they saw is searched for a contradiction.
 */
export interface Outcome {
  readonly seed: number;
  /** Undefined: all is well. */
  readonly failure: string | undefined;
  readonly acknowledgedWrites: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Keys whose history was too tangled to decide. */
  readonly undecided: number;
  readonly story: readonly string[];
}

const FOUNDING_MS = 1_500;
const SERVED_WITHIN_MS = 5_000;
const REPLICATED_WITHIN_MS = 30_000;
const QUIET_MS = 11_000;
/** A slow statement, once more by a new owner if the partition is handed over meanwhile. */
const FLUSHED_WITHIN_MS = 6_000;
const STEP_MS = 50;

export function simulate(options: SimulationOptions, rules: ProtocolRules = ALL_RULES, tracing = false): Outcome {
  const cluster = new Cluster(options, rules, tracing);
  let failure: string | undefined;
  let undecided = 0;
  try {
    runPhases(cluster);
    undecided = checkHistories(cluster);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
    if (tracing && error instanceof Error && error.stack !== undefined) cluster.world.tell(() => error.stack!);
  }
  const { acknowledgedWrites, world } = cluster;
  return { seed: options.seed, failure, acknowledgedWrites, faults: world.faults, undecided, story: world.story ?? [] };
}

function runPhases(cluster: Cluster): void {
  const { world, options } = cluster;
  for (const node of cluster.nodes.values()) world.after(cluster.random.next() * 300, () => node.start());
  world.runUntil(FOUNDING_MS);
  const faults = new Faults(cluster);
  world.runUntil(FOUNDING_MS + options.safetyMs);
  faults.end();
  world.tell(() => 'all faults end');
  awaitLiveness(cluster);
  for (const client of cluster.clients) client.stopped = true;
  const { outsider } = cluster;
  if (outsider !== undefined) outsider.stopped = true;
  world.runUntil(world.now + QUIET_MS, () => !outsider?.busy && cluster.clients.every((client) => !client.busy));
  for (let waitedMs = 0; waitedMs < FLUSHED_WITHIN_MS && !cluster.quiet(); waitedMs += STEP_MS) {
    world.runUntil(world.now + STEP_MS);
  }
  checkReplicas(cluster);
  checkDatabase(cluster);
}

/**
 * Invariant 7. A partition that was lost at the last moment owes its wait, and nobody can shorten that. One that was
 * served may stand still again for a moment, to be handed over.
 */
function awaitLiveness(cluster: Cluster): void {
  const { world } = cluster;
  const healedMs = world.now;
  const unserved = new Set(cluster.keys.keys());
  let withinMs = SERVED_WITHIN_MS;
  while (unserved.size > 0) {
    if (world.now - healedMs > withinMs) {
      cluster.fail(`partitions are not served ${withinMs} ms after the faults: ${cluster.unserved()}`);
    }
    world.runUntil(world.now + STEP_MS);
    for (const partition of unserved) if (cluster.serves(partition)) unserved.delete(partition);
    if (cluster.chosen?.partitions.some(({ wait }) => wait === 3)) {
      withinMs = SERVED_WITHIN_MS + LAN_TIMERS.viewGraceMs;
    }
  }
  while (!cluster.replicated()) {
    if (world.now - healedMs > REPLICATED_WITHIN_MS) {
      cluster.fail(`partitions have no successor ${REPLICATED_WITHIN_MS} ms after the faults: ${cluster.unserved()}`);
    }
    world.runUntil(world.now + STEP_MS);
  }
  world.runUntil(world.now + 500);
}

/** Invariant 6. Returns how many keys remain undecided. */
function checkHistories(cluster: Cluster): number {
  let undecided = 0;
  for (const [key, calls] of cluster.history.byKey) {
    const verdict = checkLinearizability(calls);
    if (verdict === 'undecided') undecided++;
    if (verdict === 'not-linearizable') cluster.fail(`the history of ${key} is not linearizable`);
  }
  return undecided;
}
