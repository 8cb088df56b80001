import type { ProtocolRules } from '../protocol-rules.js';
import type { PartitionPlacement, ViewMember, Wait } from '../view-document.js';
import type { ViewDraft } from '../view-draft.js';
import type { RuleContext } from './rule-context.js';
import { promotedWait } from './successor-rules.js';

/** Who comes and goes: rules R6, R7 and R9, and leaving by a node's own will. */

/** R6: a new start of a node proves its old self dead, so what that held is settled in the same change. */
export function applyJoin(draft: ViewDraft, self: ViewMember, rules: ProtocolRules): void {
  if (draft.member(self.id) !== undefined) {
    for (let partition = 0; partition < draft.partitionCount; partition++) settleDead(draft, partition, self.id, rules);
  }
  draft.addMember(self);
}

function settleDead(draft: ViewDraft, partition: number, id: string, rules: ProtocolRules): void {
  const placement = draft.partition(partition);
  if (placement.learner === id) draft.setLearner(partition, '');
  if (placement.successor === id) draft.dropSuccessor(partition);
  if (placement.owner !== id) return;
  if (placement.successor !== '') {
    draft.promoteSuccessor(partition, promotedWait(placement.wait, rules.inheritedWait));
  } else {
    const owed = placement.wait === 1 && rules.inheritedWait ? 2 : placement.wait;
    draft.startFresh(partition, id, owed, lostOnceMore(placement, rules));
  }
}

/** R7: both copies are gone: nobody who can be heard hears their nodes. The nodes that are left take turns, the lowest id first, so that one of them does it. */
export function applyLost(context: RuleContext): void {
  const { draft, timers, rules, self } = context;
  if (context.draining || timers.viewLeaseMs === Number.POSITIVE_INFINITY) return;
  const patienceMs = timers.lostAfterMs + turn(context) * TURN_MS;
  for (let partition = 0; partition < draft.partitionCount; partition++) {
    const placement = draft.partition(partition);
    const { owner, successor } = placement;
    if (owner === self.id || successor === self.id) continue;
    if (context.silentMs(owner) < patienceMs) continue;
    if (successor !== '' && context.silentMs(successor) < patienceMs) continue;
    if (isHeardByOthers(context, owner) || (successor !== '' && isHeardByOthers(context, successor))) continue;
    const wait: Wait = rules.freshWait ? 3 : 0;
    draft.startFresh(partition, self.id, wait, lostOnceMore(placement, rules));
  }
}

/** R9: a silent node that holds nothing any more is no member. */
export function applyRemovals(context: RuleContext): void {
  const { draft, timers, self } = context;
  const patienceMs = timers.lostAfterMs + turn(context) * TURN_MS;
  const silent = draft.members.filter(({ id }) => id !== self.id && context.silentMs(id) >= patienceMs);
  if (silent.length === 0) return;
  const holders = holdersOf(draft);
  for (const { id } of silent) if (!holders.has(id) && !isHeardByOthers(context, id)) draft.removeMember(id);
}

/** A node that was asked to leave says so, hands over what it has (R4), and goes when nothing is left. */
export function applyLeave({ draft, self, draining }: RuleContext): void {
  const member = draft.member(self.id);
  if (!draining || member === undefined) return;
  if (!member.draining) draft.addMember({ ...member, draining: true });
  else if (draft.members.length > 1 && !holdersOf(draft).has(self.id)) draft.removeMember(self.id);
}

function isHeardByOthers({ rules, isHeardElsewhere }: RuleContext, id: string): boolean {
  return rules.hearsay && isHeardElsewhere(id);
}

/** How much later each next node acts than the lowest one that can be heard. */
const TURN_MS = 2_000;

function turn({ draft, self, timers, silentMs }: RuleContext): number {
  let lower = 0;
  for (const { id } of draft.members) if (id < self.id && silentMs(id) < timers.suspectMs) lower++;
  return lower;
}

function holdersOf(draft: ViewDraft): Set<string> {
  const holders = new Set<string>();
  for (let partition = 0; partition < draft.partitionCount; partition++) {
    const { owner, successor, learner } = draft.partition(partition);
    for (const id of [owner, successor, learner]) holders.add(id);
  }
  return holders;
}

function lostOnceMore({ lost }: PartitionPlacement, rules: ProtocolRules): number {
  return rules.lostCounted ? lost + 1 : lost;
}
