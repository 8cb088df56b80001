import type { PeerMessage } from '../replication/messages.js';
import type { ClusterTimers } from './timers.js';
import { memberOf, type ViewDocument } from './view-document.js';

/**
 * Before a node joins it wants an answer from every member, so that nobody joins who can hear but not be heard. Members
 * that are dead must not keep it out for ever: after the time in which a silent successor is dropped a majority is
 * enough, and after the time in which partitions are declared lost nobody needs to answer. A node that the view still
 * lists under an earlier incarnation was a member already: it does not wait.
 */
export interface ProbingMember {
  readonly self: { readonly id: string };
  readonly timers: ClusterTimers;
  nowMs(): number;
  send(node: string, message: PeerMessage): void;
}

export class JoinProbe {
  readonly #answered = new Set<string>();
  #beganMs: number | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(readonly member: ProbingMember) {}

  answered(node: string): void {
    this.#answered.add(node);
  }

  mayJoin(view: ViewDocument): boolean {
    const { self, timers } = this.member;
    if (memberOf(view, self.id) !== undefined) return true;
    const nowMs = this.member.nowMs();
    this.#beganMs ??= nowMs;
    const silent = view.members.filter(({ id }) => !this.#answered.has(id));
    if (silent.length === 0) return true;
    const probedMs = nowMs - this.#beganMs;
    if (probedMs >= timers.dropMs && silent.length * 2 < view.members.length) return true;
    if (probedMs >= timers.lostAfterMs) return true;
    this.#ask(silent, nowMs);
    return false;
  }

  #ask(silent: readonly { id: string }[], nowMs: number): void {
    if (nowMs - this.#askedMs < this.member.timers.heartbeatMs) return;
    this.#askedMs = nowMs;
    for (const { id } of silent) this.member.send(id, { kind: 'probe' });
  }
}
