import { assert, Backoff, type Clock, type Random, type Timer } from '@larder/base';
import type { CasOutcome, StoredView, ViewReading, ViewStore } from '../view-store.js';
import { type Ballot, isAbove, isSame } from './ballot.js';
import type { AcceptedView, VoterReply, VoterRequest } from './voter-messages.js';

/**
 * The view in a register that a majority of 1, 3 or 5 static voters keeps: CASPaxos (Rystsov 2018), a Paxos whose single
 * value is changed by a function, here compare-and-set. There is no leader and no log.
 *
 *   read   all voters are asked for what they have accepted. If a majority shows the same ballot, its value was chosen
 *          and nothing newer was when the read began. Otherwise a round is run that changes nothing.
 *   round  prepare with a ballot above all that were seen; from a majority of promises take the value of the highest
 *          accepted ballot; change it; have a majority accept the result. Even a compare-and-set that does not apply
 *          writes back what it saw: only then is it sure that an earlier attempt of its own can never come up again.
 *
 * Calls are made one after another. One that is refused waits a random while, so that two proposers do not duel for ever;
 * a compare-and-set that has lost before it asked anybody to accept its document ends there.
 */
export interface RegisterStoreOptions {
  /** How many voters there are; messages name them by number. */
  readonly voterCount: number;
  /** Distinguishes this process's ballots from all others'. 128 bits in hex. */
  readonly incarnation: string;
  readonly clock: Clock;
  readonly random: Random;
  /** A call that has no answer by then is given up. */
  readonly deadlineMs: number;
  readonly send: (voter: number, request: VoterRequest) => void;
}

type Call =
  | { readonly kind: 'read'; readonly done: (reading: ViewReading) => void }
  | {
      readonly kind: 'cas';
      readonly version: number;
      readonly document: Uint8Array;
      readonly done: (outcome: CasOutcome) => void;
      /** Voters were asked to accept the document: whether it comes to be is open until a round ends. */
      offered: boolean;
    };

type Phase = 'query' | 'prepare' | 'accept' | 'backing-off';

/** Reads and compare-and-sets of one node that may wait for their turn; a member has at most one of each. */
const CALLS_MAX = 16;
/** In the first, a round of another proposer comes to its end: voters answer when their files are on disk. */
const BACK_OFF = { firstMs: 24, maxMs: 96, jitter: 0.9 };
/** Part of the deadline that a read waits for voters to agree before it runs a round. */
const QUERY_SHARE = 0.25;

export class RegisterStore implements ViewStore {
  rivalMs = Number.NEGATIVE_INFINITY;
  readonly #calls: Call[] = [];
  readonly #backoff: Backoff;
  readonly #diskIds = new Map<number, string>();
  #phase: Phase = 'query';
  #round = 0;
  #ballot: Ballot;
  #value: StoredView | undefined;
  #replies = new Map<number, VoterReply>();
  #deadline: Timer | undefined;
  #pause: Timer | undefined;

  constructor(readonly options: RegisterStoreOptions) {
    const { voterCount, random, incarnation } = options;
    assert(voterCount % 2 === 1 && voterCount <= 5, 'a register has 1, 3 or 5 voters');
    this.#backoff = new Backoff(BACK_OFF, random);
    this.#ballot = { counter: 0, incarnation };
  }

  read(done: (reading: ViewReading) => void): void {
    this.#enqueue({ kind: 'read', done });
  }

  cas(version: number, document: Uint8Array, done: (outcome: CasOutcome) => void): void {
    this.#enqueue({ kind: 'cas', version, document, done, offered: false });
  }

  /** A voter beside this store was asked for something; other proposers are noted. */
  overhear(request: VoterRequest): void {
    if (request.kind === 'prepare' && request.ballot.incarnation !== this.options.incarnation) {
      this.rivalMs = this.options.clock.monotonicMs();
    }
  }

  receive(voter: number, reply: VoterReply): void {
    if (reply.round !== this.#round || this.#calls.length === 0 || this.#phase === 'backing-off') return;
    if ((this.#diskIds.get(voter) ?? reply.diskId) !== reply.diskId) return;
    this.#diskIds.set(voter, reply.diskId);
    this.#sawBallot(reply.promised);
    if (reply.kind === 'refused') {
      this.#refused(reply.accepted.value);
      return;
    }
    this.#replies.set(voter, reply);
    if (this.#phase === 'query') this.#queried();
    else if (this.#replies.size < this.#majority) return;
    else if (this.#phase === 'prepare') this.#prepared();
    else this.#accepted();
  }

  /**
   * Somebody else is busy. If that has brought another document before a compare-and-set that no voter was given yet, this
   * can never come to be, and who goes on nevertheless takes the voters' promises away from those who have more luck. Not
   * so without a refusal: then the one who was busy may be dead, and the round is needed to bring its document to its end.
   */
  #refused({ version }: StoredView): void {
    const call = this.#calls[0]!;
    if (call.kind === 'cas' && !call.offered && version > call.version) this.#finish(() => call.done('lost'));
    else this.#retryLater();
  }

  get #majority(): number {
    return (this.options.voterCount + 1) / 2;
  }

  #enqueue(call: Call): void {
    assert(this.#calls.length < CALLS_MAX, 'too many calls of the view store at a time');
    this.#calls.push(call);
    if (this.#calls.length === 1) this.#begin();
  }

  #begin(): void {
    this.#deadline = this.options.clock.after(this.options.deadlineMs, () => this.#giveUp());
    this.#backoff.reset();
    if (this.#calls[0]!.kind === 'cas') {
      this.#prepare();
      return;
    }
    this.#pause = this.options.clock.after(this.options.deadlineMs * QUERY_SHARE, () => this.#prepare());
    this.#ask('query', { kind: 'state', round: ++this.#round });
  }

  #queried(): void {
    const { voterCount } = this.options;
    const counts = [...this.#replies.values()].map(({ accepted }) => ({ accepted, count: this.#agreeing(accepted) }));
    const most = counts.reduce((a, b) => (b.count > a.count ? b : a));
    if (most.count >= this.#majority) this.#finishRead(most.accepted.value);
    else if (most.count + voterCount - this.#replies.size < this.#majority) this.#prepare();
  }

  #agreeing(accepted: AcceptedView): number {
    let count = 0;
    for (const reply of this.#replies.values()) if (isSame(reply.accepted.ballot, accepted.ballot)) count++;
    return count;
  }

  #prepare(): void {
    this.#pause?.cancel();
    this.#ballot = { counter: this.#ballot.counter + 1, incarnation: this.options.incarnation };
    this.#ask('prepare', { kind: 'prepare', round: ++this.#round, ballot: this.#ballot });
  }

  #prepared(): void {
    const replies = [...this.#replies.values()];
    const { value } = replies.map(({ accepted }) => accepted).reduce((a, b) => (isAbove(b.ballot, a.ballot) ? b : a));
    const call = this.#calls[0]!;
    this.#value = value;
    if (call.kind === 'cas' && value.version === call.version) {
      this.#value = { version: value.version + 1, document: call.document };
      call.offered = true;
    }
    this.#ask('accept', { kind: 'accept', round: ++this.#round, ballot: this.#ballot, value: this.#value });
  }

  #accepted(): void {
    const call = this.#calls[0]!;
    const value = this.#value!;
    if (call.kind === 'read') this.#finishRead(value);
    else this.#finish(() => call.done(outcomeOf(value, call)));
  }

  #retryLater(): void {
    this.#pause?.cancel();
    this.#phase = 'backing-off';
    this.#pause = this.options.clock.after(this.#backoff.nextMs(), () => this.#prepare());
  }

  #giveUp(): void {
    const call = this.#calls[0]!;
    if (call.kind === 'read') this.#finish(() => call.done(undefined));
    else this.#finish(() => call.done(call.offered ? 'unknown' : 'lost'));
  }

  #finishRead(value: StoredView): void {
    const call = this.#calls[0]!;
    if (call.kind === 'read') this.#finish(() => call.done(value));
  }

  #finish(tell: () => void): void {
    this.#deadline?.cancel();
    this.#pause?.cancel();
    this.#calls.shift();
    this.#round++;
    if (this.#calls.length > 0) this.#begin();
    tell();
  }

  #ask(phase: Phase, request: VoterRequest): void {
    this.#phase = phase;
    this.#replies = new Map();
    for (let voter = 0; voter < this.options.voterCount; voter++) this.options.send(voter, request);
  }

  #sawBallot({ counter }: Ballot): void {
    if (counter > this.#ballot.counter) this.#ballot = { ...this.#ballot, counter };
  }
}

/** By what a round has found. Later versions may be built on the call's own document, if voters were given it before. */
function outcomeOf(found: StoredView, { version, document, offered }: Call & { kind: 'cas' }): CasOutcome {
  const isNext = found.version === version + 1;
  if (isNext && Buffer.compare(found.document, document) === 0) return 'won';
  return offered && found.version > version + 1 ? 'unknown' : 'lost';
}
