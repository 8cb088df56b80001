import type { ElapsedTime, Mark } from './elapsed-time.js';
import type { HeldCopy } from './held-copy.js';
import type { PairLeases } from './pair-leases.js';
import type { ProtocolRules } from './protocol-rules.js';
import type { ViewDocument } from './view-document.js';

/** What stands between a node and serving a partition; undefined: nothing, it may answer in this very turn. */
export type ServeObstacle = 'not-owner' | 'no-copy' | 'waiting' | 'frozen' | 'view-lease' | 'pair-lease';

export interface ServeFacts {
  readonly view: ViewDocument | undefined;
  readonly self: { readonly id: string; readonly incarnation: string };
  readonly time: ElapsedTime;
  readonly leases: PairLeases;
  readonly viewConfirmed: Mark;
  readonly rules: ProtocolRules;
  copyOf(partition: number): HeldCopy | undefined;
  /** Of a member of the view; '' if it is none. */
  incarnationOf(id: string): string;
  proposedSuccessors(partition: number): readonly { readonly node: string }[];
}

/**
 * Whether this node may read and accept writes for a partition. Nothing may be awaited between asking and answering:
 * then a late answer is still linearizable, because it was right when it was given. See serving-table.ts for the same
 * in a few nanoseconds.
 */
export function serveObstacle(partition: number, facts: ServeFacts): ServeObstacle | undefined {
  return standingObstacle(partition, facts) ?? leaseObstacle(partition, facts);
}

/**
 * Whether what is held back for the partition may go on: its leases are good, and a hand-over, though it stands still for
 * one, is not proposed before the hold is released (R4). Who holds nothing asks serveObstacle.
 */
export function keepsPartition(partition: number, facts: ServeFacts): boolean {
  const standing = standingObstacle(partition, facts);
  return (standing === undefined || standing === 'frozen') && leaseObstacle(partition, facts) === undefined;
}

function leaseObstacle(partition: number, facts: ServeFacts): ServeObstacle | undefined {
  const { time, rules } = facts;
  const { viewLeaseMs, leaseMs } = facts.view!.config.timers;
  if (rules.viewLease && time.held(facts.viewConfirmed) >= viewLeaseMs) return 'view-lease';
  for (const id of leaseGranters(partition, facts)) {
    if (facts.leases.heldForMs(facts.incarnationOf(id)) >= leaseMs) return 'pair-lease';
  }
  return undefined;
}

/** What no lease can help. */
export function standingObstacle(partition: number, facts: ServeFacts): ServeObstacle | undefined {
  const { view, self, time, rules } = facts;
  const placement = view?.partitions[partition];
  if (placement === undefined || placement.owner !== self.id) return 'not-owner';
  if (rules.incarnations && facts.incarnationOf(self.id) !== self.incarnation) return 'not-owner';
  const copy = facts.copyOf(partition);
  if (copy === undefined || copy.phase !== 'owner') return 'no-copy';
  if (rules.copyIds && copy.id !== placement.ownerCopy) return 'no-copy';
  if (time.clock.monotonicMs() < copy.waitUntilMs || !copy.entries.ready) return 'waiting';
  return copy.frozenMs === undefined ? undefined : 'frozen';
}

/** The nodes whose leases the owner needs: whoever may be the partition's successor. */
export function leaseGranters(partition: number, facts: ServeFacts): readonly string[] {
  const { view, rules } = facts;
  if (!rules.pairLease) return NOBODY;
  const { successor } = view!.partitions[partition]!;
  const granters = successor === '' ? [] : [successor];
  if (!rules.union) return granters;
  for (const { node } of facts.proposedSuccessors(partition)) granters.push(node);
  return granters;
}

const NOBODY: readonly string[] = [];
