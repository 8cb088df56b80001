import type { Clock, Random } from '@larder/base';
import type { LarderError } from '@larder/proto';
import type { CopyEntries } from '../replication/copy-entries.js';
import type { Envelope } from '../replication/messages.js';
import type { FoundingOptions } from './founding-view.js';
import type { PlannedPlace } from './placement-planner.js';
import type { ProtocolRules } from './protocol-rules.js';
import type { ViewDocument, ViewMember } from './view-document.js';
import type { ViewStore } from './view-store/view-store.js';

export interface MemberOptions {
  readonly self: Omit<ViewMember, 'incarnation' | 'draining'>;
  /** For a node that may found the cluster when the store is empty. */
  readonly founding?: FoundingOptions | undefined;
  /** Default 1,024; only simulations use fewer. */
  readonly partitionCount?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: ViewStore;
  /** Bytes per second of snapshots that this node sends. Default 64 MiB. */
  readonly syncBytesPerSecond?: number;
  /** Entries that one chunk of a snapshot is scanned for. Default 256. */
  readonly chunkEntries?: number;
  readonly plan?: (view: ViewDocument) => PlannedPlace[];
  /** R10: what was never used is placed at once. Default true; false for tests of the other rules. */
  readonly placesEmpty?: boolean;
  /** For the mutation test only. */
  readonly rules?: ProtocolRules;
}

/** What a member needs from outside. */
export interface MemberHost {
  /** Into the ordered stream to that node, as far as there is one. May drop it. */
  send(node: string, envelope: Envelope): void;
  /** Room for the entries of a new copy. */
  createEntries(partition: number, copy: number): CopyEntries;
  /**
   * The installed view has made this node the partition's owner, or has taken that from it. True is told when the
   * partition can take records, though maybe not be served yet; false before its entries go or become a successor's.
   */
  ownerChanged(partition: number, owns: boolean): void;
  /**
   * Whether this node may take entries of the partition away, by eviction or at the end of their lives: as owner, unless
   * the partition stands still to be handed over. Until it has been said, it may not.
   */
  evictableChanged(partition: number, evictable: boolean): void;
  viewInstalled(view: ViewDocument): void;
  /** The cluster goes on without this node: end it, and start it anew if it should take part. */
  expelled(): void;
  /** A message or document was refused. Log it once per reason. */
  refused(node: string, error: LarderError): void;
}
