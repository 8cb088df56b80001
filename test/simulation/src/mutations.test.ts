import type { ProtocolRules } from '@larder/node/internal';
import { expect, it } from 'vitest';
import { runBatch } from './batch.js';

/**
 * The rules whose absence shows within a few seeds. Others have tests of their own, or take minutes:
 * npm run simulate -- --mutations.
 */
const QUICK: readonly (keyof ProtocolRules)[] = [
  'dedupe',
  'pairLease',
  'incarnations',
  'commitAfterAcks',
  'wallClockBound',
  'seqOrder',
  'caughtUpLearner',
  'syncAttempts',
  'freezeForHandOff',
  'lostCounted',
  'voterPromise',
  'invalidationsTravel',
  'fenceRaised',
];
const SEEDS_MAX = 120;

it.each(QUICK)('notices when the rule %s is taken away', (without) => {
  const { failures } = runBatch({ from: 0, seeds: SEEDS_MAX, without, untilFailure: true });
  expect(failures).toHaveLength(1);
});
