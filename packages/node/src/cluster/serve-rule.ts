import type { ElapsedTime, Mark } from './elapsed-time.js';
import type { HeldCopy } from './held-copy.js';
import type { PairLeases } from './pair-leases.js';
import type { ProtocolRules } from './protocol-rules.js';
import { memberOf, type ViewDocument } from './view-document.js';

/** What stands between a node and serving a partition; undefined: nothing, it may answer in this very turn. */
export type ServeObstacle = 'not-owner' | 'no-copy' | 'waiting' | 'frozen' | 'view-lease' | 'pair-lease';

export interface ServeFacts {
  readonly view: ViewDocument | undefined;
  readonly self: { readonly id: string; readonly incarnation: string };
  readonly copy: HeldCopy | undefined;
  readonly time: ElapsedTime;
  readonly leases: PairLeases;
  readonly viewConfirmed: Mark;
  readonly rules: ProtocolRules;
  proposedSuccessors(partition: number): { readonly node: string }[];
}

/**
 * Whether this node may read and accept writes for a partition. Nothing may be awaited between asking and answering:
 * then a late answer is still linearizable, because it was right when it was given.
 */
export function serveObstacle(partition: number, facts: ServeFacts): ServeObstacle | undefined {
  const { view, self, copy, time, rules } = facts;
  const placement = view?.partitions[partition];
  if (view === undefined || placement === undefined || placement.owner !== self.id) return 'not-owner';
  if (rules.incarnations && memberOf(view, self.id)?.incarnation !== self.incarnation) return 'not-owner';
  if (copy === undefined || copy.phase !== 'owner') return 'no-copy';
  if (rules.copyIds && copy.id !== placement.ownerCopy) return 'no-copy';
  if (time.clock.monotonicMs() < copy.waitUntilMs) return 'waiting';
  if (copy.frozenMs !== undefined) return 'frozen';
  if (rules.viewLease && time.held(facts.viewConfirmed) >= view.config.timers.viewLeaseMs) return 'view-lease';
  if (!rules.pairLease) return undefined;
  if (placement.successor !== '' && !isGranted(placement.successor, facts)) return 'pair-lease';
  if (!rules.union) return undefined;
  for (const { node } of facts.proposedSuccessors(partition)) if (!isGranted(node, facts)) return 'pair-lease';
  return undefined;
}

function isGranted(id: string, { view, leases }: ServeFacts): boolean {
  const member = memberOf(view!, id);
  return member !== undefined && leases.heldForMs(member.incarnation) < view!.config.timers.leaseMs;
}
