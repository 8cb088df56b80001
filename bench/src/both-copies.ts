import type { Cache } from '@larder/client';
import { keySlice, PARTITION_COUNT } from '@larder/proto';
import { StatusQuestion } from '@larder/test-kit';
import { keyOf, startFilledCluster } from './cluster/filled-cluster.js';
import { rounded } from './cluster/steady-load.js';
import { machine } from './database/database-setup.js';
import { integer, parseOptions } from './options.js';

/**
 * The bench `both-copies`: of five nodes two are killed at once, and with them both copies of every partition that those
 * two shared. One call for each key waits until its partition is served again: how long, which keys are gone, and
 * whether the cluster says so of just the partitions that they were in.
 */
const NODES = 5;

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    // About 20 in each partition, so that each of them has some.
    entries: integer({ otherwise: 20 * PARTITION_COUNT, min: 15 * PARTITION_COUNT, max: 100_000 }),
  });
  const { entries } = options;
  const filled = await startFilledCluster({ entries, valueBytes: 100, nodes: NODES });
  const { cluster, cache } = filled;
  // The first three keep the view.
  const [survivor, , , ...victims] = cluster.nodes;
  const question = new StatusQuestion(survivor!.address);
  try {
    const killedMs = performance.now();
    for (const victim of victims) victim.kill();
    const { foundBy, failed, slowestMs } = await askForAll(cache, entries, killedMs);
    const status = await question.ask();
    return {
      bench: 'both-copies',
      seconds: rounded(slowestMs / 1_000),
      failed,
      missingEntries: foundBy.filter((found) => !found).length,
      lostPartitions: status?.partitions?.lostPartitions ?? null,
      ...byPartition(foundBy),
      setting: { ...options, nodes: NODES, killed: victims.length, ...machine() },
    };
  } finally {
    question.close();
    await filled.stop();
  }
}

interface Answers {
  readonly foundBy: readonly boolean[];
  readonly failed: number;
  readonly slowestMs: number;
}

async function askForAll(cache: Cache<Buffer>, entries: number, sinceMs: number): Promise<Answers> {
  let failed = 0;
  let slowestMs = 0;
  const ask = async (_: unknown, number: number): Promise<boolean> => {
    const value = await cache.get(keyOf(number)).catch(() => {
      failed++;
      return undefined;
    });
    slowestMs = Math.max(slowestMs, performance.now() - sinceMs);
    return value !== undefined;
  };
  const foundBy = await Promise.all(Array.from({ length: entries }, ask));
  return { foundBy, failed, slowestMs };
}

/** `half`: partitions of which some keys are there and others are not, of which there are to be none. */
function byPartition(foundBy: readonly boolean[]): {
  readonly emptyPartitions: number;
  readonly halfPartitions: number;
} {
  const present = new Set<number>();
  const absent = new Set<number>();
  foundBy.forEach((found, number) => {
    (found ? present : absent).add(keySlice(Buffer.from(keyOf(number))).partition);
  });
  const half = [...absent].filter((partition) => present.has(partition)).length;
  return { emptyPartitions: absent.size - half, halfPartitions: half };
}
