import { applyLeave, applyLost, applyRemovals } from './membership-rules.js';
import { applyOwnerRules } from './owner-rules.js';
import type { RuleContext } from './rule-context.js';
import { applySuccessorRules } from './successor-rules.js';

/** All rules of a member. Their changes go into one draft, and so into one compare-and-set. */
export function applyRules(context: RuleContext): void {
  applySuccessorRules(context);
  applyOwnerRules(context);
  applyLost(context);
  applyRemovals(context);
  applyLeave(context);
}
