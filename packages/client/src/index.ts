export type { Duration } from '@larder/base';
export { type ClientView, type ErrorCode, LarderError, type Outcome, type ViewNode } from '@larder/proto';
export type { Acknowledgement } from './acknowledgement.js';
export type { Entry, Written } from './answers.js';
export type { KeyOutcome } from './batch-error.js';
export type { Cache } from './cache.js';
export type {
  CacheOptions,
  CallOptions,
  DeleteOptions,
  ReadOptions,
  ReadStrategy,
  SetOptions,
  WriteOptions,
} from './cache-options.js';
export { type BytesOptions, bytes } from './codecs/bytes.js';
export type { Codec } from './codecs/codec.js';
export { json } from './codecs/json.js';
export { text } from './codecs/text.js';
export { connect } from './connect.js';
export type { Endpoints } from './endpoints.js';
export type { Explanation, OriginCall } from './explanation.js';
export type { Load, LoadContext, LoadOptions } from './fills.js';
export { type Key, keyText } from './keys.js';
export type { Larder, LarderEvents } from './larder.js';
export type { CacheStatistics, Distribution, NodeStatistics } from './node-statistics.js';
export type { ConnectOptions } from './options.js';
export type { WriteStrategy } from './write-strategy.js';
