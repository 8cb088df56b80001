import type { Wait } from '../view-document.js';
import type { RuleContext } from './rule-context.js';

/**
 * R5: a successor takes over from an owner that has been silent for longer than any lease of it can last, or that can be
 * heard but has not heard the successor: then it serves no more, and cannot be told anything.
 */
export function applySuccessorRules(context: RuleContext): void {
  const { draft, self, timers, rules } = context;
  for (const copy of context.copies.values()) {
    if (copy.phase !== 'successor') continue;
    const { owner, successor, successorCopy, wait } = draft.partition(copy.partition);
    if (successor !== self.id || successorCopy !== copy.id) continue;
    if (context.outOfTouchMs(owner) >= timers.suspectMs) {
      draft.promoteSuccessor(copy.partition, promotedWait(wait, rules.inheritedWait));
    }
  }
}

/** The owner before may itself still owe a wait, and nobody else knows for how long: then a whole one begins anew. */
export function promotedWait(owed: Wait, inherited: boolean): Wait {
  if (owed === 0 || !inherited) return 1;
  return owed === 3 ? 3 : 2;
}
