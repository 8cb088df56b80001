import type { AcceptorState } from './acceptor-state.js';
import { encodeAcceptorState } from './acceptor-state.js';
import { type Ballot, isAbove } from './ballot.js';
import type { VoterReply, VoterRequest } from './voter-messages.js';

/**
 * One voter of the register: promises not to go below a ballot, accepts values, and answers only when what it says is on
 * disk. While a write is under way the requests that come wait for the next one, which then serves them all.
 */
export interface AcceptorDisk {
  /** Makes these bytes the file's content, for good, then calls back. An error means that it may or may not have. */
  save(bytes: Uint8Array, done: (error: Error | undefined) => void): void;
}

export interface AcceptorRules {
  readonly voterSyncsFirst: boolean;
  readonly voterPromise: boolean;
}

/** Requests that wait for the disk; more are not answered, which their proposers take as a lost message. */
const WAITING_MAX = 1_024;

export class Acceptor {
  #state: AcceptorState;
  #durable: AcceptorState;
  #saving = false;
  #waiting: (() => void)[] = [];
  /** The disk failed: what it holds is not known, so nothing may be promised any more until the file was read again. */
  #failed: Error | undefined;

  constructor(
    state: AcceptorState,
    readonly disk: AcceptorDisk,
    readonly rules: AcceptorRules = { voterSyncsFirst: true, voterPromise: true },
  ) {
    this.#state = state;
    this.#durable = state;
  }

  get failed(): Error | undefined {
    return this.#failed;
  }

  receive(request: VoterRequest, reply: (reply: VoterReply) => void): void {
    if (this.#failed !== undefined) return;
    const { round } = request;
    if (request.kind === 'state') {
      reply(this.#reply('state', round, this.#durable));
      return;
    }
    const { ballot } = request;
    if (!this.#allows(ballot, request.kind)) {
      reply(this.#reply('refused', round, this.#state));
      return;
    }
    if (request.kind === 'prepare') this.#state = { ...this.#state, promised: ballot };
    else this.#state = { ...this.#state, promised: ballot, accepted: { ballot, value: request.value } };
    const kind = request.kind === 'prepare' ? 'promised' : 'accepted';
    const state = this.#state;
    this.#whenDurable(() => reply(this.#reply(kind, round, state)));
  }

  #allows(ballot: Ballot, kind: 'prepare' | 'accept'): boolean {
    if (!this.rules.voterPromise && kind === 'accept') return true;
    const { promised } = this.#state;
    return kind === 'prepare' ? isAbove(ballot, promised) : !isAbove(promised, ballot);
  }

  #whenDurable(answer: () => void): void {
    if (!this.rules.voterSyncsFirst) answer();
    else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(answer);
    if (!this.#saving) this.#save();
  }

  #save(): void {
    const state = this.#state;
    const answers = this.#waiting;
    this.#waiting = [];
    this.#saving = true;
    this.disk.save(encodeAcceptorState(state), (error) => {
      this.#saving = false;
      this.#failed = error;
      if (error !== undefined) return;
      this.#durable = state;
      for (const answer of answers) answer();
      if (this.#waiting.length > 0) this.#save();
    });
  }

  #reply(kind: VoterReply['kind'], round: number, { diskId, promised, accepted }: AcceptorState): VoterReply {
    return { kind, round, diskId, promised, accepted };
  }
}
