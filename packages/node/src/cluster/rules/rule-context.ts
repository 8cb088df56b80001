import type { HeldCopy } from '../held-copy.js';
import type { PlannedPlace } from '../placement-planner.js';
import type { ProtocolRules } from '../protocol-rules.js';
import type { ClusterTimers } from '../timers.js';
import type { ViewDraft } from '../view-draft.js';

/** What a node knows when it looks for rules to apply. Silence is of the incarnation that the view lists. */
export interface RuleContext {
  readonly self: { readonly id: string; readonly incarnation: string };
  readonly draft: ViewDraft;
  readonly timers: ClusterTimers;
  readonly rules: ProtocolRules;
  readonly copies: ReadonlyMap<number, HeldCopy>;
  readonly plan: readonly PlannedPlace[];
  readonly nowMs: number;
  /** Changes that can wait may be made: it is this node's turn. */
  readonly isTurn: boolean;
  /** And those for the sake of balance alone: besides, the latest view is old enough. */
  readonly isMoveTurn: boolean;
  /** This node wants to leave. */
  readonly draining: boolean;
  readonly placesEmpty: boolean;
  /** Whether another node, that can be heard here, may hear it. */
  isHeardElsewhere(id: string): boolean;
  /** The view that the node has said to have. */
  heardVersion(id: string): number;
  /** For how long nothing has come from the node; Infinity if it is no member. */
  silentMs(id: string): number;
  /** For how long nothing has come from the node but that it does not hear this one. */
  outOfTouchMs(id: string): number;
  /** For how long the node has not answered. */
  unansweredMs(id: string): number;
  /** How old a wait may look that began at this time: never older than this node has been running without a break. */
  ageMs(sinceMs: number): number;
  /** Whether an open proposal may already have changed the partition's epoch. */
  isOpen(partition: number): boolean;
}
