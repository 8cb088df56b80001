import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientView, Larder } from '@larder/client';
import { keySlice } from '@larder/proto';
import { freePorts, startNode, untilSettled } from '@larder/test-kit';
import { keyOf, startFilledCluster } from './cluster/filled-cluster.js';
import { rounded, SteadyLoad } from './cluster/steady-load.js';
import { machine } from './database/database-setup.js';
import { decimal, integer, parseOptions } from './options.js';

/**
 * The bench `join`: three nodes under a steady load of reads and writes, and a fourth that joins. How many entries got
 * another owner, and how many copies were filled anew, against the quarter that the new node should have; and what the
 * callers noticed, against the time before.
 */
const SETTLE_MS_MAX = 300_000;

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    entries: integer({ otherwise: 200_000, min: 1_000, max: 10_000_000 }),
    valueBytes: integer({ otherwise: 100, min: 1, max: 60_000 }),
    concurrency: integer({ otherwise: 64, min: 1, max: 16_384 }),
    seconds: decimal({ otherwise: 5, min: 0.5, max: 600 }),
  });
  const { entries, valueBytes, concurrency, seconds } = options;
  const filled = await startFilledCluster({ entries, valueBytes });
  const { cluster, larder, cache } = filled;
  const load = new SteadyLoad(cache, entries, Buffer.alloc(valueBytes, 'joined'), concurrency);
  try {
    await sleep(1_000);
    load.window();
    await sleep(seconds * 1_000);
    const before = load.window();
    const [ownersBefore, copiesBefore] = [larder.topology(), await copies(larder)];
    const address = `127.0.0.1:${(await freePorts(1))[0]}`;
    const { configPath, endpoints } = cluster;
    const joined = await startNode({ id: 'n4', address, join: endpoints, configPath });
    try {
      await untilSettled([...endpoints, address], SETTLE_MS_MAX);
      const during = load.window();
      await sleep(seconds * 1_000);
      const after = load.window();
      const copiesAfter = await copies(larder);
      const ownersMoved = movedShare(entries, ownersBefore, larder.topology());
      const copiesMoved = filledShare(copiesBefore, copiesAfter);
      return {
        bench: 'join',
        idealShare: 0.25,
        ownersMovedShare: rounded(ownersMoved),
        copiesFilledShare: rounded(copiesMoved),
        ratioOwnersMovedToIdeal: rounded(ownersMoved / 0.25),
        ratioCopiesFilledToIdeal: rounded(copiesMoved / 0.25),
        ratioP99DuringToBefore: rounded(during.p99Ms / before.p99Ms),
        before,
        during,
        after,
        setting: { ...options, ...machine() },
      };
    } finally {
      await load.stop();
      await joined.stop();
    }
  } finally {
    await load.stop();
    await filled.stop();
  }
}

/** Of all keys, how many have another owner. */
function movedShare(entries: number, before: ClientView, after: ClientView): number {
  let moved = 0;
  for (let number = 0; number < entries; number++) {
    const partition = keySlice(Buffer.from(keyOf(number))).partition;
    if (ownerIn(before, partition) !== ownerIn(after, partition)) moved++;
  }
  return moved / entries;
}

function ownerIn({ nodes, owners }: ClientView, partition: number): string | undefined {
  return nodes[owners[partition] as number]?.id;
}

/** Entries of each node, those of its copies among them. */
async function copies(larder: Larder): Promise<ReadonlyMap<string, number>> {
  const nodes = await larder.nodeStatistics();
  return new Map(nodes.map(({ nodeId, caches }) => [nodeId, Number(caches[0]?.entries ?? 0)]));
}

/** Of all copies, how many are on nodes that did not have them. What nodes exchanged with each other does not show. */
function filledShare(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  let [filled, all] = [0, 0];
  for (const [node, count] of after) {
    filled += Math.max(0, count - (before.get(node) ?? 0));
    all += count;
  }
  return filled / all;
}
