import type { ReplicatedRecord } from './record.js';
import type { LoggedRequest } from './request-log.js';

/**
 * What nodes say to each other. Everything between two nodes goes through one ordered stream in each direction; a
 * stream may break, and then what was under way is gone. Whoever gets a message may get it twice or not at all.
 */
export interface Envelope {
  readonly cluster: string;
  readonly node: string;
  readonly incarnation: string;
  /** The sender's view; 0: it has none yet. */
  readonly viewVersion: number;
  readonly message: PeerMessage;
}

export type PeerMessage =
  | Heartbeat
  | Grant
  | Replicate
  | Acknowledge
  | SyncChunk
  | SyncAcknowledge
  | ViewPush
  | Clean
  | Probe;

/** Asks for a lease from the moment when it was sent. The receiver learns nothing from the numbers but to return them. */
export interface Heartbeat {
  readonly kind: 'heartbeat';
  readonly monotonicMs: number;
  readonly wallMs: number;
  /** Members that the sender has not heard for `dropMs`. */
  readonly unheard: readonly string[];
}

/** Until the lease is over, counted from the echoed moment, the sender takes no partition of the receiver's. */
export interface Grant {
  readonly kind: 'grant';
  readonly monotonicMs: number;
  readonly wallMs: number;
  /** Members that the sender has not heard for `suspectMs`. */
  readonly unheard: readonly string[];
}

/** What a turn has brought up for one node, of all partitions that it follows. */
export interface Replicate {
  readonly kind: 'replicate';
  readonly runs: readonly RecordRun[];
}

export interface RecordRun {
  readonly partition: number;
  readonly epoch: number;
  /** The receiver's copy. */
  readonly copy: number;
  /** With consecutive seqs. */
  readonly records: readonly ReplicatedRecord[];
}

export interface Acknowledge {
  readonly kind: 'acknowledge';
  readonly copies: readonly AcknowledgedCopy[];
}

/** The sender's copy holds every record up to and including `seq`. */
export interface AcknowledgedCopy {
  readonly partition: number;
  readonly copy: number;
  /** The last sync that the copy began with: what it held before that does not count. */
  readonly attempt: number;
  readonly seq: number;
}

/** Part of a snapshot. Chunk 0 begins an attempt: the receiver forgets what it had. */
export interface SyncChunk {
  readonly kind: 'sync';
  readonly partition: number;
  readonly epoch: number;
  readonly copy: number;
  readonly attempt: number;
  readonly chunk: number;
  readonly last: boolean;
  /** Live records begin after this seq. */
  readonly baseSeq: number;
  readonly entries: readonly ReplicatedRecord[];
  readonly requests: readonly LoggedRequest[];
}

export interface SyncAcknowledge {
  readonly kind: 'sync-acknowledge';
  readonly partition: number;
  readonly copy: number;
  readonly attempt: number;
  /** The last chunk that was taken. */
  readonly chunk: number;
  readonly seq: number;
}

export interface ViewPush {
  readonly kind: 'view';
  readonly document: Uint8Array;
}

/** The database holds this version of the key: it need not be flushed again. */
export interface Clean {
  readonly kind: 'clean';
  readonly partition: number;
  readonly epoch: number;
  readonly copy: number;
  readonly cache: number;
  readonly key: Uint8Array;
  readonly version: { readonly epoch: number; readonly seq: number };
}

/** Before a node joins it wants to hear every member, and to be heard. */
export interface Probe {
  readonly kind: 'probe' | 'probed';
}
