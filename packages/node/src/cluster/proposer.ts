import type { Random, Timer } from '@larder/base';
import type { ElapsedTime } from './elapsed-time.js';
import { foundingView } from './founding-view.js';
import type { Hearsay, Listener } from './hearsay.js';
import type { Holdings } from './holdings.js';
import type { MemberOptions } from './member-options.js';
import type { PlannedPlace } from './placement-planner.js';
import { planPlacements } from './placement-planner.js';
import { ProposalTurns } from './proposal-turns.js';
import type { ProtocolRules } from './protocol-rules.js';
import { applyRules } from './rules/apply-rules.js';
import { askedOnce } from './rules/asked-once.js';
import { applyJoin } from './rules/membership-rules.js';
import { gatheringMs } from './rules/owner-rules.js';
import type { RuleContext } from './rules/rule-context.js';
import type { ViewDocument, ViewMember } from './view-document.js';
import { ViewDraft } from './view-draft.js';
import type { ViewKeeper } from './view-keeper.js';

/**
 * A member's changes of the view: from the installed view a draft is made, every rule may change it, and if it differs
 * it is proposed by one compare-and-set. Lost or unknown: the keeper reads, and it begins again from what is there.
 *
 * Changes that can wait are proposed in this node's turn, see proposal-turns.ts.
 */
export interface ProposingMember extends Listener {
  readonly self: ViewMember;
  readonly options: MemberOptions;
  readonly rules: ProtocolRules;
  readonly time: ElapsedTime;
  readonly holdings: Holdings;
  readonly hearsay: Hearsay;
  readonly partitionCount: number;
  /** The view lists this incarnation. */
  readonly listed: boolean;
  /** It was listed once. */
  readonly wasListed: boolean;
  /** The process stood still, and judges nobody in this turn. */
  readonly isLate: boolean;
  nowMs(): number;
  incarnationOf(id: string): string;
  /** The view that the node has said to have. */
  heardVersion(id: string): number;
  mayJoin(view: ViewDocument): boolean;
  flush(): void;
}

export class Proposer {
  plan: readonly PlannedPlace[] = [];
  draining = false;
  readonly #turns = new ProposalTurns();
  #accuseSinceMs: number;
  #stopped = false;
  #retryTimer: Timer | undefined;
  #retryAtMs = Number.POSITIVE_INFINITY;

  constructor(
    readonly member: ProposingMember,
    readonly keeper: ViewKeeper,
  ) {
    this.#accuseSinceMs = member.nowMs();
  }

  installed(view: ViewDocument): void {
    this.plan = (this.member.options.plan ?? planPlacements)(view);
    this.#turns.installed(view, this.plan, this.member.nowMs());
  }

  /** This node was not running for a while: nothing is older than that. */
  forgive(): void {
    this.#accuseSinceMs = this.member.nowMs();
  }

  stop(): void {
    this.#stopped = true;
    this.#retryTimer?.cancel();
  }

  /** After so long at the latest. */
  applySoon(delayMs: number): void {
    const { clock } = this.member.options;
    const atMs = clock.monotonicMs() + delayMs;
    if (this.#stopped || this.#retryAtMs <= atMs) return;
    this.#retryTimer?.cancel();
    this.#retryAtMs = atMs;
    this.#retryTimer = clock.after(delayMs, () => {
      this.#retryAtMs = Number.POSITIVE_INFINITY;
      this.apply();
      this.member.flush();
    });
  }

  /** Looks for changes that rules want, and proposes them. */
  apply(): void {
    const { keeper, member } = this;
    if (this.#stopped || !keeper.mayPropose || member.isLate) return;
    const { view, self, rules } = member;
    if (view === undefined) {
      this.#found();
      return;
    }
    const draft = new ViewDraft(view);
    if (keeper.mustSettle) {
      keeper.propose(draft.build(this.#nonce()));
      return;
    }
    if (member.listed) {
      if (!this.#applyRules(draft)) return;
    } else if (!member.wasListed && member.mayJoin(view)) {
      applyJoin(draft, self, rules);
    }
    if (draft.changed || keeper.mustPropose) keeper.propose(draft.build(this.#nonce()));
  }

  /** Returns whether the draft can go as it is. */
  #applyRules(draft: ViewDraft): boolean {
    const { self, options } = this.member;
    const { rivalMs } = options.store;
    const waitMs = this.#turns.waitMs(self.id, this.member.nowMs(), rivalMs);
    const moveWaitMs = this.#turns.moveWaitMs(self.id, this.member.nowMs(), rivalMs);
    const context = this.#context(draft, { isTurn: waitMs === 0, isMoveTurn: moveWaitMs === 0 });
    applyRules(context);
    if (moveWaitMs > 0 && !draft.changed) this.applySoon(waitMs > 0 ? waitMs : moveWaitMs);
    const gatherMs = draft.changed ? gatheringMs(context) : 0;
    if (gatherMs > 0) this.applySoon(gatherMs);
    return gatherMs <= 0;
  }

  #context(draft: ViewDraft, turn: Pick<RuleContext, 'isTurn' | 'isMoveTurn'>): RuleContext {
    const { member } = this;
    const { self, timers, rules, leases, options, view } = member;
    const open = this.keeper.openProposals();
    return {
      ...{ self, draft, timers, rules, ...turn },
      copies: member.holdings.copies,
      plan: this.plan,
      nowMs: member.nowMs(),
      draining: this.draining,
      isHeardElsewhere: (id) => member.hearsay.isHeardElsewhere(id, member),
      heardVersion: (id) => member.heardVersion(id),
      placesEmpty: options.placesEmpty ?? true,
      silentMs: askedOnce((id) => leases.silentMs(member.incarnationOf(id))),
      outOfTouchMs: askedOnce((id) => leases.outOfTouchMs(member.incarnationOf(id))),
      unansweredMs: askedOnce((id) => leases.unansweredMs(member.incarnationOf(id))),
      ageMs: (sinceMs) => member.time.waited(Math.max(sinceMs, this.#accuseSinceMs)),
      isOpen: (partition) =>
        open.some((proposal) => proposal.partitions[partition]!.epoch !== view!.partitions[partition]!.epoch),
    };
  }

  #found(): void {
    const { self, partitionCount, options } = this.member;
    const { founding, random } = options;
    if (founding === undefined || !this.keeper.storeIsEmpty) return;
    this.keeper.propose(foundingView(founding, partitionCount, self, randomHex(random, 4), this.#nonce()));
  }

  #nonce(): string {
    return randomHex(this.member.options.random, 2);
  }
}

/** `words` times 32 random bits. */
export function randomHex(random: Random, words: number): string {
  let digits = '';
  for (let word = 0; word < words; word++) digits += random.uint32().toString(16).padStart(8, '0');
  return digits;
}
