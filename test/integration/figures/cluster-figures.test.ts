/** The benches of the cluster in short form: what they find counts here, not how fast. */
import { expect, test } from 'vitest';
import { runBench } from './run-bench.js';

test('both-copies: of two nodes killed at once just the partitions are lost that both had, and served again', async () => {
  const result = (await runBench('both-copies')) as { readonly lostPartitions: number };
  expect(result.lostPartitions).toBeGreaterThan(0);
  expect(result).toMatchObject({ failed: 0, emptyPartitions: result.lostPartitions, halfPartitions: 0 });
}, 120_000);

test('re-replicate: when a node has died for good everything has two copies again, and nothing is missing', async () => {
  const result = (await runBench('re-replicate', '--bytes', '10000000')) as {
    readonly underReplicatedPartitions: number;
  };
  expect(result.underReplicatedPartitions).toBeGreaterThan(0);
  expect(result).toMatchObject({ lostPartitions: 0, missingOfSample: 0 });
}, 120_000);
