import { seededRandom } from '@larder/base';
import { connect } from '@larder/client';
import { OpenLoop } from './open-loop.js';
import type { ReaderSetting } from './reader-process.js';

/**
 * A process that reads at a fixed rate, keys by Zipf's law, until its parent says anything; then it sends the times of its
 * calls and ends.
 */
async function main(): Promise<void> {
  // Written by ReaderProcess, from a ReaderSetting.
  const { endpoints, cache: name, rows, perSecond, seed } = JSON.parse(process.argv[2] ?? '') as ReaderSetting;
  const larder = await connect({ endpoints, timeout: '10s', name: `reader ${seed}` });
  const cache = larder.cache(name);
  const pick = zipf(rows, seed);
  const loop = new OpenLoop(perSecond, () => cache.get(pick()));
  process.once('message', () => {
    void loop.stop().then(async (times) => {
      await larder.close();
      process.send?.(times, undefined, undefined, () => process.disconnect());
    });
  });
  process.send?.('begun');
}

/** Numbers 1 to `count`; the n-th is asked for as often as the first divided by n. */
function zipf(count: number, seed: number): () => number {
  const random = seededRandom(seed);
  const upTo = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) upTo[rank] = sum += 1 / (rank + 1);
  return () => {
    const target = random.next() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (upTo[middle]! < target) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}

await main();
