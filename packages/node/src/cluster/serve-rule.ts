import type { ElapsedTime, Mark } from './elapsed-time.js';
import type { HeldCopy } from './held-copy.js';
import type { PairLeases } from './pair-leases.js';
import type { ProtocolRules } from './protocol-rules.js';
import type { ViewDocument } from './view-document.js';

/** What stands between a node and serving a partition; undefined: nothing, it may answer in this very turn. */
export type ServeObstacle = 'not-owner' | 'no-copy' | 'waiting' | 'frozen' | 'view-lease' | 'pair-lease';

/** Asked for every operation: nothing here may cost an object. */
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
 * then a late answer is still linearizable, because it was right when it was given.
 */
export function serveObstacle(partition: number, facts: ServeFacts): ServeObstacle | undefined {
  const { view, self, time, rules } = facts;
  const placement = view?.partitions[partition];
  if (view === undefined || placement === undefined || placement.owner !== self.id) return 'not-owner';
  if (rules.incarnations && facts.incarnationOf(self.id) !== self.incarnation) return 'not-owner';
  const copy = facts.copyOf(partition);
  if (copy === undefined || copy.phase !== 'owner') return 'no-copy';
  if (rules.copyIds && copy.id !== placement.ownerCopy) return 'no-copy';
  if (time.clock.monotonicMs() < copy.waitUntilMs || !copy.entries.ready) return 'waiting';
  if (copy.frozenMs !== undefined) return 'frozen';
  if (rules.viewLease && time.held(facts.viewConfirmed) >= view.config.timers.viewLeaseMs) return 'view-lease';
  if (!rules.pairLease) return undefined;
  const { leaseMs } = view.config.timers;
  if (placement.successor !== '' && !isGranted(placement.successor, facts, leaseMs)) return 'pair-lease';
  if (!rules.union) return undefined;
  for (const { node } of facts.proposedSuccessors(partition)) {
    if (!isGranted(node, facts, leaseMs)) return 'pair-lease';
  }
  return undefined;
}

function isGranted(id: string, facts: ServeFacts, leaseMs: number): boolean {
  return facts.leases.heldForMs(facts.incarnationOf(id)) < leaseMs;
}
