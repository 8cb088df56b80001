import { setTimeout as sleep } from 'node:timers/promises';
import { type NodeStatus, StatusQuestion } from '@larder/test-kit';
import { keyOf, startFilledCluster } from './cluster/filled-cluster.js';
import { rounded } from './cluster/steady-load.js';
import { machine } from './database/database-setup.js';
import { integer, parseOptions } from './options.js';

/**
 * The bench `re-replicate`: three nodes full of entries, of which one is killed and does not come back. The time from
 * the kill until every partition has two copies again, as both that are left say, and whether all entries are there.
 */
const POLL_MS = 20;
const LIMIT_MS = 600_000;
const SAMPLES = 10_000;

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    bytes: integer({ otherwise: 1024 ** 3, min: 1024 ** 2, max: 64 * 1024 ** 3 }),
    valueBytes: integer({ otherwise: 1_000, min: 1, max: 60_000 }),
  });
  const { bytes, valueBytes } = options;
  const entries = Math.ceil(bytes / valueBytes);
  const filled = await startFilledCluster({ entries, valueBytes });
  const { cluster, cache } = filled;
  const [first, second, victim] = cluster.nodes;
  const questions = [first!, second!].map(({ address }) => new StatusQuestion(address));
  try {
    const killedMs = performance.now();
    victim!.kill();
    let [droppedMs, worst] = [0, 0];
    for (;;) {
      const all = await Promise.all(questions.map((question) => question.ask()));
      const elapsedMs = performance.now() - killedMs;
      const missing = Math.max(...all.map(underReplicated));
      if (missing > 0 && Number.isFinite(missing)) {
        if (worst === 0) droppedMs = elapsedMs;
        worst = Math.max(worst, missing);
      }
      if (worst > 0 && missing === 0) {
        const lostPartitions = all[0]!.partitions!.lost;
        return {
          bench: 're-replicate',
          seconds: rounded(elapsedMs / 1_000),
          noticedSeconds: rounded(droppedMs / 1_000),
          underReplicatedPartitions: worst,
          entries,
          lostPartitions,
          missingOfSample: await missingOf(entries, async (keys) => (await cache.getMany(keys)).size),
          setting: { ...options, ...machine() },
        };
      }
      if (elapsedMs > LIMIT_MS) throw new Error(`after ${LIMIT_MS} ms there is: ${JSON.stringify(all)}`);
      await sleep(POLL_MS);
    }
  } finally {
    for (const question of questions) question.close();
    await filled.stop();
  }
}

/** One that does not answer may miss any number. */
function underReplicated(status: NodeStatus | undefined): number {
  const { underReplicated: missing, waiting } = status?.partitions ?? {};
  return missing === undefined || waiting === undefined ? Number.POSITIVE_INFINITY : Number(missing) + Number(waiting);
}

async function missingOf(entries: number, found: (keys: readonly string[]) => Promise<number>): Promise<number> {
  const samples = Math.min(SAMPLES, entries);
  let missing = samples;
  for (let first = 0; first < samples; first += 1_000) {
    const count = Math.min(1_000, samples - first);
    const step = Math.floor(entries / samples);
    missing -= await found(Array.from({ length: count }, (_, index) => keyOf((first + index) * step)));
  }
  return missing;
}
