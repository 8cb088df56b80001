import { bytes as bytesCodec, type Cache, connect, type Larder } from '@larder/client';
import { type Cluster, startCluster } from '@larder/test-kit';

/** Processes larder-node without a database, and a cache on them that is full of entries of one size. */
export interface FilledCluster {
  readonly cluster: Cluster;
  readonly larder: Larder;
  readonly cache: Cache<Buffer>;
  stop(): Promise<void>;
}

export interface FilledClusterOptions {
  readonly entries: number;
  readonly valueBytes: number;
  /** Default 3. */
  readonly nodes?: number;
}

const BATCH = 1_000;
/** Key, record, index and policy: what an entry of this storage takes beside its value, generously. */
const ENTRY_BYTES = 128;
const SPARE_BYTES = 256 * 1024 * 1024;

/** Both copies of everything fit two of the nodes, whatever their number. Resolves when every partition is where it is to be. */
export async function startFilledCluster({ entries, valueBytes, nodes }: FilledClusterOptions): Promise<FilledCluster> {
  const memory = Math.ceil(entries * (valueBytes + ENTRY_BYTES) * 1.2) + SPARE_BYTES;
  const config = { memory, caches: { bench: { memory: memory - SPARE_BYTES / 2 } } };
  const cluster = await startCluster({ nodes, config });
  const larder = await connect({ endpoints: cluster.endpoints, timeout: '60s' });
  const stop = async (): Promise<void> => {
    await larder.close();
    await cluster.stop();
  };
  try {
    const cache = larder.cache('bench', { codec: bytesCodec() });
    const value = Buffer.alloc(valueBytes, 'larder');
    for (let first = 0; first < entries; first += BATCH) {
      const count = Math.min(BATCH, entries - first);
      await cache.setMany(Array.from({ length: count }, (_, index) => [keyOf(first + index), value] as const));
    }
    return { cluster, larder, cache, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export function keyOf(number: number): string {
  return `key-${number}`;
}
