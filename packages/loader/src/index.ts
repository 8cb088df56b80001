export { checkConfig, configError, configMistake } from './config-check.js';
export {
  blockSetting,
  byteSizeSetting,
  choiceSetting,
  countSetting,
  durationSetting,
} from './config-schema.js';
export type { DeadLetter } from './dead-letters.js';
export {
  EntryFlag,
  type EntryMemory,
  type EntryRef,
  type Hold,
  type HoldSink,
  PutResult,
  type RequestId,
  RequestResult,
} from './entry-memory.js';
export type { EntryAge, KeyExplanation } from './explain-key.js';
export { isSeen } from './is-hidden.js';
export { Loader, type LoaderOptions } from './loader.js';
export type { LoaderStatistics } from './loader-statistics.js';
export { MissCause, missCauseName } from './miss-cause.js';
export type { LoggedCall } from './origins/call-log.js';
export { createOrigin, type OriginSurroundings } from './origins/create-origin.js';
export { ForwardingOrigin } from './origins/forwarding-origin.js';
export { MemoryOrigin } from './origins/memory.js';
export type { ModuleOriginContext } from './origins/module/module-origin.js';
export type { ModuleOriginOptions } from './origins/module/module-origin-options.js';
export type { Origin, OriginFence, OriginRow } from './origins/origin.js';
export { databaseSetting, type OriginPolicy } from './origins/origin-policy.js';
export { ChangeListener, type ChangeSink } from './origins/postgres/changes/change-listener.js';
export {
  checkWatched,
  currentRole,
  readWatchedTable,
  type WatchedTable,
  watchStatements,
} from './origins/postgres/changes/watched-table.js';
export { PostgresDatabase } from './origins/postgres/postgres-database.js';
export {
  type PostgresDatabaseOptions,
  postgresDatabaseSchema,
  type ResolvedPostgresDatabaseOptions,
  resolvePostgresDatabaseOptions,
} from './origins/postgres/postgres-database-options.js';
export { postgresQuery } from './origins/postgres/postgres-query.js';
export type { PostgresQueryOptions } from './origins/postgres/postgres-query-options.js';
export { postgresTable } from './origins/postgres/postgres-table.js';
export type { PostgresTableOptions } from './origins/postgres/postgres-table-options.js';
export {
  type CachePolicy,
  cachePolicySchema,
  EVICTIONS,
  type EvictionName,
  type ReadStrategyName,
  type ResolvedCachePolicy,
  resolveCachePolicy,
  type WriteStrategyName,
} from './policy.js';
export type { CopiedEntry, Reply } from './reply.js';
export {
  areTagHashes,
  hashAt,
  hashCount,
  hashesOfTexts,
  isTagText,
  TAG_HASH_BYTES,
  type TagHashes,
  tagHash,
  tagHashes,
} from './tags/tag-hashes.js';
export { hasTrailer, TRAILER_BYTES_MAX, trailerBytes, withTrailer } from './tags/tag-trailer.js';
