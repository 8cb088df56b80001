import type { LoaderStatistics } from '@larder/loader';
import type { NodeCache } from '../caches.js';
import type { CacheStorageStatistics, Storage } from '../storage/storage.js';

/** CacheStatistics of larder/v1/admin.proto, as a node fills it. */
export interface CacheStatistics extends LoaderStatistics, CacheStorageStatistics {
  readonly name: string;
}

export function cacheStatistics(cache: NodeCache, storage: Storage): CacheStatistics {
  const { oldestPendingMs, ...loader } = cache.loader.statistics();
  return { name: cache.name, ...storage.statistics(cache.id), ...loader, oldestPendingMs: Math.floor(oldestPendingMs) };
}

/** GetStatisticsResponse. */
export interface NodeStatistics {
  readonly nodeId: string;
  readonly uptimeMs: number;
  readonly sessions: number;
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
  readonly caches: readonly CacheStatistics[];
}
