import type { HeldCopy } from '../held-copy.js';
import { ringPreference } from '../ring-preference.js';
import type { RuleContext } from './rule-context.js';

/**
 * What an owner does to its own partitions: rules R1 to R4, R8 and R10. At most one of them changes who leads and follows in
 * one view, so that each step is seen by everybody before the next.
 */

/** Partitions that one node fills learners for, and that one learner is filled with, at the same time. */
export const SYNCS_MAX = 16;
/** The same for partitions whose snapshot is one chunk: a new cluster has hundreds of them to move. */
export const SMALL_SYNCS_MAX = 256;
const SMALL_ENTRIES_MAX = 256;
/**
 * Moves for the sake of balance, of partitions that have both their copies, are in no hurry: what they may cost together
 * at one time, each about its entries. That is as much as one view of a busy cluster moves without being noticed.
 */
const MOVES_COST_MAX = 8_192;
/** What a partition costs beside its entries, and the most that one counts for. */
const MOVE_COST_MIN = 56;
const MOVE_COST_MAX = 1_024;
/** Partitions that stand still for a hand-over at the same time, unless the node drains. */
const HAND_OVERS_MAX = 32;
/** So long those that are ready wait for others. */
const GATHER_MS = 30;
/** After a hand-over that did not come about. */
const HAND_OVER_RETRY_MS = 1_000;
/** The same if statements of the origin are that slow: standing still again and again would cost more than it brings. */
const HELD_RETRY_MS = 10_000;

export function applyOwnerRules(context: RuleContext): void {
  const syncs = new Syncs(context);
  let handOvers = 0;
  for (const copy of context.copies.values()) {
    if (copy.phase !== 'owner' || context.draft.partition(copy.partition).owner !== context.self.id) continue;
    endWait(context, copy);
    if (placeEmpty(context, copy)) continue;
    if (promoteLearner(context, copy) || dropSilentSuccessor(context, copy)) continue;
    if (handOvers < HAND_OVERS_MAX || context.draining) {
      if (handOver(context, copy)) handOvers++;
      if (copy.frozenMs !== undefined) continue;
    }
    chooseLearner(context, copy, syncs);
  }
  if (handOvers > 0) leaveBehind(context);
}

/**
 * How long the partitions that have just begun to stand still should be waited for, so that they are handed over
 * together: writes that were under way end within a moment, and then the rules are asked again.
 */
export function gatheringMs({ copies, nowMs }: RuleContext): number {
  let waitMs = 0;
  for (const { frozenMs, replicator } of copies.values()) {
    if (frozenMs === undefined || replicator === undefined || replicator.idle) continue;
    waitMs = Math.max(waitMs, frozenMs + GATHER_MS - nowMs);
  }
  // Whole milliseconds, or what rounding leaves would be waited for without end.
  return Math.ceil(waitMs);
}

/** Where others go now, those that still wait for their successor do not stand still until the next change. */
function leaveBehind({ copies, nowMs, self, draft, isOpen }: RuleContext): void {
  const late: HeldCopy[] = [];
  let isOneOff = false;
  for (const copy of copies.values()) {
    if (copy.frozenMs === undefined || copy.replicator === undefined) continue;
    if (draft.partition(copy.partition).owner !== self.id) isOneOff = true;
    else if (copy.replicator.window.length > 0 && nowMs - copy.frozenMs >= GATHER_MS) late.push(copy);
  }
  if (isOneOff) for (const copy of late) if (!isOpen(copy.partition)) copy.thaw();
}

/**
 * R10: a partition that has never held anything needs no syncs to be where the plan wants it, so a new cluster is in
 * place within a few views. It stands still until the view says so, and begins anew on both its nodes.
 */
function placeEmpty(context: RuleContext, copy: HeldCopy): boolean {
  const { draft, plan, self, nowMs, rules } = context;
  const { wait, owner, successor } = draft.partition(copy.partition);
  const planned = plan[copy.partition];
  if (planned === undefined || !context.placesEmpty || wait !== 0) return false;
  if ((rules.placesUnusedOnly && !copy.neverUsed) || (!context.isTurn && copy.frozenMs === undefined)) return false;
  const heir = draft.base.config.copies === 2 ? planned.successor : '';
  if (planned.owner === owner && heir === successor) return false;
  const areHeard = [planned.owner, heir].every((id) => id === '' || id === self.id || isHeard(context, id));
  if (!areHeard || context.draining || nowMs < copy.handOverAfterMs) return false;
  if (rules.freezeForPlacing) copy.freeze(nowMs);
  draft.place(copy.partition, planned.owner, heir);
  return true;
}

function isHeard({ draft, unansweredMs, timers }: RuleContext, id: string): boolean {
  return draft.member(id)?.draining === false && unansweredMs(id) <= 2 * timers.heartbeatMs;
}

/** R8 */
function endWait({ draft, nowMs }: RuleContext, copy: HeldCopy): void {
  if (draft.partition(copy.partition).wait !== 0 && nowMs >= copy.waitUntilMs) draft.endWait(copy.partition);
}

/** R2. Not before its turn, unless there is no second copy. */
function promoteLearner(context: RuleContext, copy: HeldCopy): boolean {
  const { draft, rules, unansweredMs, timers } = context;
  const { wait, successor, learner, learnerCopy } = draft.partition(copy.partition);
  if (successor !== '' && !mayMove(context, successor)) return false;
  if (learner === '' || (wait !== 0 && rules.noLearnerWhileOwed)) return false;
  if (copy.frozenMs !== undefined || unansweredMs(learner) >= timers.dropMs) return false;
  if (!copy.replicator!.caughtUp(learnerCopy)) return false;
  draft.promoteLearner(copy.partition);
  return true;
}

/** R3 */
function dropSilentSuccessor(context: RuleContext, copy: HeldCopy): boolean {
  const { draft, timers } = context;
  const { successor, successorCopy } = draft.partition(copy.partition);
  if (successor === '') return false;
  const unackedMs = context.ageMs(copy.replicator!.oldestUnackedMs(successorCopy));
  if (context.unansweredMs(successor) < timers.dropMs && unackedMs < timers.dropMs) return false;
  draft.dropSuccessor(copy.partition);
  return true;
}

/**
 * R4. Returns whether the partition is being handed over. It begins to stand still in this node's turn only, and goes on
 * if another node's change came first, until the next turn.
 */
function handOver(context: RuleContext, copy: HeldCopy): boolean {
  const { draft, nowMs, timers, rules } = context;
  const hasLost = copy.offeredVersion !== 0 && copy.offeredVersion < draft.base.version;
  const waits = !(context.draining ? context.isTurn : context.isMoveTurn) && (copy.frozenMs === undefined || hasLost);
  if (waits || !wantsHandOver(context, copy) || nowMs < copy.handOverAfterMs) {
    if (!context.isOpen(copy.partition)) copy.thaw();
    return false;
  }
  if (rules.freezeForHandOff) copy.freeze(nowMs);
  const { idle, window } = copy.replicator!;
  if (rules.statementsHold ? idle : window.length === 0) {
    copy.offeredVersion = draft.base.version;
    draft.swap(copy.partition);
  } else if (nowMs - (copy.frozenMs ?? nowMs) > timers.dropMs && !context.isOpen(copy.partition)) {
    copy.thaw();
    const isHeld = window.length === 0 && !context.draining;
    copy.handOverAfterMs = nowMs + (isHeld ? HELD_RETRY_MS : HAND_OVER_RETRY_MS);
    return false;
  }
  return true;
}

function wantsHandOver(context: RuleContext, copy: HeldCopy): boolean {
  const { draft, plan, self, draining, unansweredMs, timers, heardVersion } = context;
  const { wait, successor, origin } = draft.partition(copy.partition);
  // It may not know yet that it has a copy, and would never have it if the next view took that from it.
  if (origin === 'placed' && heardVersion(successor) < draft.base.version) return false;
  if (wait !== 0 || successor === '' || draft.member(successor)?.draining !== false) return false;
  if (unansweredMs(successor) > 2 * timers.heartbeatMs) return false;
  return draining || (plan[copy.partition]?.owner === successor && successor !== self.id);
}

/** R1: the next successor is the planned owner, if that is another node, so that it can be handed the partition; or who stands in for it. */
function chooseLearner(context: RuleContext, copy: HeldCopy, syncs: Syncs): void {
  const { draft, self, rules, timers } = context;
  const { partition } = copy;
  const { wait, successor, learner } = draft.partition(partition);
  if (wait !== 0 && rules.noLearnerWhileOwed) return;
  const deaf = learner !== '' && context.unansweredMs(learner) >= timers.dropMs;
  if (successor !== '' && !deaf && !mayMove(context, successor)) return;
  const planned = context.plan[partition];
  const place = planned?.owner === self.id ? planned.successor : (planned?.owner ?? '');
  const wished = draft.base.config.copies === 2 || planned?.owner !== self.id ? place : '';
  const leaves = isDraining(context, successor);
  if (wished === '' && successor !== '' && (leaves || draft.base.config.copies === 1)) {
    draft.dropSuccessor(partition);
    return;
  }
  const wanted = wished === successor ? '' : standIn(context, copy, wished);
  const reachable = wanted !== '' && context.unansweredMs(wanted) < timers.dropMs;
  if (learner === wanted && !deaf) return;
  const isMove = successor !== '' && !leaves;
  if (reachable && !deaf && syncs.begin(wanted, copy.entries.count, isMove)) draft.setLearner(partition, wanted);
  else if (learner !== '') draft.setLearner(partition, '');
}

/**
 * Whom a partition without a second copy takes in the place of a planned node that has not answered for half the time
 * after which the dead are given up: the node that the ring likes best of those that answer, in another zone if it can be.
 * The planned node is taken again when it answers, as one that the plan has just found, so this is no more frequent than
 * such silences, and within the same bounds of syncs.
 */
function standIn(context: RuleContext, { partition }: HeldCopy, planned: string): string {
  const { draft, self, timers } = context;
  const { successor, learner } = draft.partition(partition);
  const isAlone = successor === '' && draft.base.config.copies === 2;
  if (!isAlone || planned === '' || context.unansweredMs(planned) < timers.lostAfterMs / 2) return planned;
  if (learner !== '' && learner !== planned && context.unansweredMs(learner) < timers.dropMs) return learner;
  const up = draft.members.filter(({ draining }) => !draining);
  const preference = ringPreference(up, draft.partitionCount);
  const zone = draft.member(self.id)?.zone;
  let [chosen, lowest] = [planned, Number.POSITIVE_INFINITY];
  up.forEach((member, number) => {
    if (member.id === self.id || !isHeard(context, member.id)) return;
    const rank = preference.of(partition, number) + (member.zone === zone ? 1 : 0);
    if (rank < lowest) [chosen, lowest] = [member.id, rank];
  });
  return chosen;
}

/** A change of who follows that can wait: one away from a node that leaves waits for the turn and no longer. */
function mayMove(context: RuleContext, successor: string): boolean {
  return isDraining(context, successor) ? context.isTurn : context.isMoveTurn;
}

function isDraining({ draft }: RuleContext, id: string): boolean {
  return draft.member(id)?.draining === true;
}

class Syncs {
  #own = 0;
  #movesCost = 0;
  readonly #byLearner = new Map<string, number>();

  constructor({ draft, self, copies }: RuleContext) {
    for (let partition = 0; partition < draft.partitionCount; partition++) {
      const { owner, successor, learner } = draft.partition(partition);
      if (learner === '') continue;
      const isOwn = owner === self.id;
      this.#count(isOwn, learner);
      if (isOwn && successor !== '') this.#movesCost += moveCost(copies.get(partition)?.entries.count ?? 0);
    }
  }

  begin(learner: string, entries: number, isMove: boolean): boolean {
    const max = entries <= SMALL_ENTRIES_MAX ? SMALL_SYNCS_MAX : SYNCS_MAX;
    if (this.#own >= max || (this.#byLearner.get(learner) ?? 0) >= max) return false;
    if (isMove) {
      if (this.#movesCost >= MOVES_COST_MAX) return false;
      this.#movesCost += moveCost(entries);
    }
    this.#count(true, learner);
    return true;
  }

  #count(own: boolean, learner: string): void {
    if (own) this.#own++;
    this.#byLearner.set(learner, (this.#byLearner.get(learner) ?? 0) + 1);
  }
}

function moveCost(entries: number): number {
  return Math.min(MOVE_COST_MAX, MOVE_COST_MIN + entries);
}
