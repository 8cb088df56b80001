import { Histogram, seededRandom, systemClock, systemRandom } from '@larder/base';
import { createStorage, type EvictionPolicyName } from '@larder/node/internal';
import { partitionOf } from '@larder/proto';
import { KEY_BYTES, newFrames, setKeyNumber } from './frames.js';

/**
 * Sets and deletes with sizes that shift, in a storage that is kept 90 % full: what memory is worth after the sizes that
 * it was filled with are gone. Four phases with values of 20 to 200, 200 to 2,000, 20 to 4,000, and 20 to 80 bytes. At
 * the end of each, as much is put as fits.
 */
const MEMORY_BYTES = 256 * 1024 * 1024;
const PHASES: readonly (readonly [number, number])[] = [
  [20, 200],
  [200, 2_000],
  [20, 4_000],
  [20, 80],
];
const OPERATIONS_PER_PHASE = 2_000_000;
const KEYS = 4_000_000;
const FILL = 0.9;

export interface ChurnResult {
  readonly setP999Ms: number;
  /** The least share of the bound that was live after one of the phases, when as much was put as fits. */
  readonly liveShare: number;
  /** Evictions for a set while a tenth of the memory was free, in the worst phase. */
  readonly evictionsPerSet: number;
}

export function measureChurn(eviction: EvictionPolicyName): ChurnResult {
  const caches = [{ cache: 0, memoryBytesMax: MEMORY_BYTES, eviction }];
  const options = { memoryBytesMax: MEMORY_BYTES, valueBytesMax: 8 * 1024 * 1024, caches };
  const storage = createStorage(options, systemClock, systemRandom);
  const { key } = newFrames();
  const value = Buffer.alloc(4_096, 'v');
  const slice = { bytes: key, start: 0, end: KEY_BYTES, partition: 0 };
  const random = seededRandom(1);
  const pauses = new Histogram();
  const pick = (): void => {
    setKeyNumber(key, random.integer(KEYS));
    slice.partition = partitionOf(key, 0, KEY_BYTES);
  };
  let liveShare = 1;
  let evictionsPerSet = 0;
  for (const [least, most] of PHASES) {
    let sets = 0;
    const evictionsBefore = storage.statistics(0).evictions;
    for (let operation = 0; operation < OPERATIONS_PER_PHASE; operation++) {
      pick();
      if (storage.memoryBytes > FILL * MEMORY_BYTES) {
        storage.remove(0, slice);
        continue;
      }
      const bytes = least + random.integer(most - least + 1);
      const startedMs = performance.now();
      storage.put(0, slice, value, 0, bytes, 1, 1, 0, 0);
      pauses.record(performance.now() - startedMs);
      sets++;
    }
    evictionsPerSet = Math.max(evictionsPerSet, (storage.statistics(0).evictions - evictionsBefore) / sets);
    const evictionsUntil = storage.statistics(0).evictions + 10_000;
    for (let sets = 0; storage.statistics(0).evictions < evictionsUntil && sets < OPERATIONS_PER_PHASE; sets++) {
      pick();
      storage.put(0, slice, value, 0, least + random.integer(most - least + 1), 1, 1, 0, 0);
    }
    liveShare = Math.min(liveShare, storage.memoryBytes / MEMORY_BYTES);
  }
  return { setP999Ms: pauses.percentileMs(0.999), liveShare, evictionsPerSet };
}
