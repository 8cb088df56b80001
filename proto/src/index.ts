export { PeerFrameReader } from './codec/peer-frame-reader.js';
export {
  NO_ATTEMPT,
  PeerFrameWriter,
  PeerMessageFields,
  PeerMessageKind,
  peerHead,
} from './codec/peer-frame-writer.js';
export {
  type PeerGreeting,
  type PeerIdentity,
  peerGreeting,
  readGreeting,
  type SharedSettings,
} from './codec/peer-identity.js';
export * from './codec/peer-limits.js';
export {
  NO_VALUE,
  type PackedBytes,
  type PeerRecord,
  type PeerRequest,
  type PeerRequestId,
  packed,
  packedKey,
  packedValue,
} from './codec/peer-record.js';
export {
  Acknowledgement,
  type OperationExtras,
  OperationKind,
  ReadMode,
  RequestItem,
  SessionRequestReader,
  SessionRequestWriter,
  TTL_DEFAULT,
  TTL_NEVER,
  WriteMode,
} from './codec/session-request.js';
export {
  errorToFailure,
  failureToError,
  ResponseItem,
  SessionResponseReader,
  SessionResponseWriter,
  TTL_NONE,
  type WireFailure,
} from './codec/session-response.js';
export { type ClientView, checkedView, type ViewNode } from './codec/view.js';
export { varintBytes, WireWriter } from './codec/wire-writer.js';
export {
  ERROR_CODES,
  type ErrorCode,
  errorCodeFromName,
  errorCodeFromNumber,
  errorCodeNumber,
  grpcStatusOf,
  LarderError,
  type LarderErrorOptions,
  type Outcome,
  toLarderError,
} from './errors.js';
export * from './limits.js';
export { type KeySlice, keySlice, partitionOf } from './partition.js';
export { type Placement, type RingNode, ringOrders, ringPlacements } from './ring.js';
export { adminService, cacheService, packageDefinition, peerService } from './service.js';
export { xxh32 } from './xxh32.js';
