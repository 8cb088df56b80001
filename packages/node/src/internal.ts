/** What the simulator and tests of the whole look at. Outside of semantic versioning. */
export type { ClusterStatus, MemberStatus, PartitionSummary } from './cluster/cluster-status.js';
export { Member } from './cluster/member.js';
export type { MemberHost, MemberOptions } from './cluster/member-options.js';
export { type PlannedPlace, planPlacements } from './cluster/placement-planner.js';
export { ALL_RULES, type ProtocolRules } from './cluster/protocol-rules.js';
export { ServingTable } from './cluster/serving-table.js';
export { LAN_TIMERS } from './cluster/timers.js';
export { decodeView, encodeView } from './cluster/view-codec.js';
export {
  checkView,
  memberOf,
  type PartitionPlacement,
  type ViewDocument,
  type ViewMember,
} from './cluster/view-document.js';
export { openFileViewStore } from './cluster/view-store/file-view-store.js';
export { MemoryViewStore } from './cluster/view-store/memory-view-store.js';
export { Acceptor, type AcceptorDisk } from './cluster/view-store/register/acceptor.js';
export {
  decodeAcceptorState,
  encodeAcceptorState,
  newAcceptorState,
} from './cluster/view-store/register/acceptor-state.js';
export { RegisterStore } from './cluster/view-store/register/register-store.js';
export type { VoterReply, VoterRequest } from './cluster/view-store/register/voter-messages.js';
export * from './cluster/view-store/view-store.js';
export { AdminClient } from './link/admin-client.js';
export { LoneMemory } from './partitions/lone-memory.js';
export type { CopyEntries } from './replication/copy-entries.js';
export type { Envelope, PeerMessage } from './replication/messages.js';
export type { CommitSink } from './replication/pending-window.js';
export {
  hasValue,
  invalidationRecord,
  isInvalidation,
  packedKey,
  packedValue,
  type RecordParts,
  type ReplicatedRecord,
  type RequestId,
  recordOf,
} from './replication/record.js';
export type { Replicator } from './replication/replicator.js';
export type { NodeStatistics } from './server/cache-statistics.js';
export { createStorage } from './storage/create-storage.js';
export type { EvictionPolicyName, Storage, StorageCacheOptions, StorageOptions } from './storage/storage.js';
