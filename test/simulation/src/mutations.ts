import { ALL_RULES, type ProtocolRules } from '@larder/node/internal';
import type { Batch } from './batch.js';
import { runOnWorkers } from './worker-pool.js';

/**
 * The test of the test: each rule of the protocol is taken away, one at a time, and the simulator has to notice. Rules
 * whose absence shows only when several rare things meet have a test of their own beside the code; they are named here.
 */
export const DIRECTED: ReadonlyMap<keyof ProtocolRules, string> = new Map([
  ['promotedWait', 'packages/node/src/cluster/member.test.ts'],
  ['viewLease', 'packages/node/src/cluster/member.test.ts, test/simulation/src/scenarios.test.ts'],
  ['freshWait', 'test/simulation/src/scenarios.test.ts'],
  ['epochCheck', 'packages/node/src/cluster/member.test.ts'],
  ['union', 'packages/node/src/cluster/member.test.ts'],
  ['lateTimerAmnesty', 'packages/node/src/cluster/member.test.ts'],
  ['copyIds', 'packages/node/src/cluster/member.test.ts'],
  ['grantVersion', 'packages/node/src/cluster/pair-leases.test.ts'],
  ['unresolvedUntilOwnCas', 'packages/node/src/cluster/view-keeper.test.ts'],
  ['noLearnerWhileOwed', 'packages/node/src/cluster/rules/rules.test.ts'],
  ['inheritedWait', 'packages/node/src/cluster/rules/rules.test.ts'],
  ['hearsay', 'packages/node/src/cluster/rules/rules.test.ts'],
  ['seqOrder', 'packages/node/src/replication/replica.test.ts'],
  ['committedReads', 'test/simulation/src/scenarios.test.ts'],
  ['missesWait', 'test/simulation/src/scenarios.test.ts'],
  ['repliesWait', 'test/simulation/src/scenarios.test.ts'],
  ['forgetFirst', 'test/simulation/src/scenarios.test.ts'],
  ['flushesCommitted', 'test/simulation/src/scenarios.test.ts'],
  ['loadsWait', 'test/simulation/src/scenarios.test.ts'],
  ['fenceWaits', 'packages/loader/src/fence-gate.test.ts'],
  ['pendingInSync', 'packages/node/src/replication/replicator.test.ts'],
  ['voterSyncsFirst', 'packages/node/src/cluster/view-store/register/acceptor-file.test.ts'],
]);

/** Seeds that a mutation is given before it counts as not caught. */
export const MUTATION_SEEDS_MAX = 600;

export async function runMutations(names: readonly string[], workers: number, seedsMax: number): Promise<number> {
  const rules = (Object.keys(ALL_RULES) as (keyof ProtocolRules)[]).filter(
    (rule) => names.length === 0 || names.includes(rule),
  );
  const batches = rules.map((without): Batch => ({ from: 0, seeds: seedsMax, without, untilFailure: true }));
  let missed = 0;
  await runOnWorkers(batches, workers, ({ batch, failures, seeds }) => {
    const [first] = failures;
    const directed = DIRECTED.get(batch.without!);
    if (first === undefined && directed === undefined) missed++;
    const unseen = directed === undefined ? 'NOT CAUGHT' : `not by these; by ${directed}`;
    const verdict = first === undefined ? unseen : `seed ${first.seed}: ${first.failure}`;
    console.log(`${batch.without!.padEnd(22)} ${String(seeds).padStart(4)} seeds  ${verdict}`);
  });
  console.log(JSON.stringify({ mutations: rules.length, missed }));
  return missed;
}
