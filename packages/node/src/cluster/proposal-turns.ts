import type { PlannedPlace } from './placement-planner.js';
import type { ViewDocument } from './view-document.js';

/**
 * Who proposes planned changes, and when. When a node joins, all owners want to change the view, again and again. If they
 * all tried at once, one would win, the others would have their partitions stand still for nothing, and the voters would
 * be busy with ballots that come to nothing. So owners take turns, without a word to each other: all who have the same
 * view know who has something left to do in it, and in which order. From the moment in which a view was installed the
 * turns follow each other; the first is another node's with each view.
 *
 * Moves for the sake of balance also leave the cluster a pause after each view: a view is work for every node and client,
 * and one after the other they would be all that a busy cluster does.
 *
 * It is a courtesy and nothing rests on it: clocks of turns are as far apart as the view's arrivals, and a change that
 * cannot wait, such as taking over from the dead, heeds no turn.
 */

/** About two compare-and-sets of a register with files, and the way of the view to the others. */
const TURN_MS = 150;
/** All turns together; with more than six nodes each is shorter. */
const ROUND_MS_MAX = 900;
/** Between two views that only improve the balance: so what they cost stays below a tenth if one costs 100 ms. */
const MOVE_PAUSE_MS = 1_000;
/** So long one waits for another node that was seen to propose on this view. */
const RIVAL_MS = 150;
/** The part of a turn in which something may be begun, so that it is over before the next. */
const BEGIN_SHARE = 0.5;

export class ProposalTurns {
  #workers: readonly string[] = [];
  #first = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;

  installed(view: ViewDocument, plan: readonly PlannedPlace[], nowMs: number): void {
    this.#workers = workersOf(view, plan);
    this.#first = view.version % Math.max(1, this.#workers.length);
    this.#sinceMs = nowMs;
  }

  /**
   * How long the node has to wait for its turn: 0 if it has it, or if it waits for nobody. `rivalMs`: when another was last
   * seen to propose.
   */
  waitMs(id: string, nowMs: number, rivalMs = Number.NEGATIVE_INFINITY): number {
    const rivalEndMs = rivalMs > this.#sinceMs ? rivalMs + RIVAL_MS : nowMs;
    return rivalEndMs > nowMs ? Math.ceil(rivalEndMs - nowMs) : this.#waitMs(id, nowMs);
  }

  /** The same for a move that is made for the sake of balance. Never less. */
  moveWaitMs(id: string, nowMs: number, rivalMs?: number): number {
    const pauseMs = Math.max(0, Math.ceil(this.#sinceMs + MOVE_PAUSE_MS - nowMs));
    return pauseMs + this.waitMs(id, nowMs + pauseMs, rivalMs);
  }

  #waitMs(id: string, nowMs: number): number {
    const count = this.#workers.length;
    const index = this.#workers.indexOf(id);
    if (index < 0 || count < 2) return 0;
    const turnMs = Math.min(TURN_MS, ROUND_MS_MAX / count);
    const roundMs = turnMs * count;
    const ownMs = ((index + this.#first) % count) * turnMs;
    const intoOwnMs = (((nowMs - this.#sinceMs - ownMs) % roundMs) + roundMs) % roundMs;
    // Whole milliseconds: a wait that rounding makes next to nothing would be over before the clock has moved.
    return intoOwnMs < turnMs * BEGIN_SHARE ? 0 : Math.ceil(roundMs - intoOwnMs);
  }
}

/** Owners of partitions that are not where the plan wants them, or are on the way. */
function workersOf({ members, partitions }: ViewDocument, plan: readonly PlannedPlace[]): string[] {
  const owners = new Set<string>();
  partitions.forEach(({ owner, successor, learner }, partition) => {
    const planned = plan[partition];
    if (planned === undefined || learner !== '' || planned.owner !== owner || planned.successor !== successor) {
      owners.add(owner);
    }
  });
  return members.flatMap(({ id }) => (owners.has(id) ? [id] : []));
}
