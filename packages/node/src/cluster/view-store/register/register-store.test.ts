import { ManualClock, seededRandom } from '@larder/base';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CasOutcome } from '../view-store.js';
import { Acceptor, type AcceptorDisk } from './acceptor.js';
import { newAcceptorState } from './acceptor-state.js';
import { RegisterStore } from './register-store.js';
import type { VoterRequest } from './voter-messages.js';

const VOTERS = [0, 1, 2];
const DISK: AcceptorDisk = { save: (_bytes, done) => done(undefined) };
const bits128 = (digit: number): string => String(digit).repeat(32);

/** A node whose messages to the voters leave when the test says so; answers arrive at once, unless they are lost. */
class Node {
  readonly outcomes: CasOutcome[] = [];
  readonly #store: RegisterStore;
  #underWay: { readonly voter: number; readonly request: VoterRequest }[] = [];

  constructor(
    digit: number,
    clock: ManualClock,
    readonly acceptors: readonly Acceptor[],
  ) {
    this.#store = new RegisterStore({
      ...{ voterCount: 3, incarnation: bits128(digit), clock, random: seededRandom(digit), deadlineMs: 400 },
      send: (voter, request) => this.#underWay.push({ voter, request }),
    });
  }

  propose(version: number, text: string): void {
    this.#store.cas(version, Buffer.from(text), (outcome) => this.outcomes.push(outcome));
  }

  /** What it has said so far reaches these voters; the rest stays under way. */
  deliver(voters = VOTERS, answersAreLost = false): void {
    const left = this.#underWay;
    this.#underWay = left.filter(({ voter }) => !voters.includes(voter));
    for (const { voter, request } of left.filter((message) => voters.includes(message.voter))) {
      this.acceptors[voter]!.receive(request, (reply) => {
        if (!answersAreLost) this.#store.receive(voter, reply);
      });
    }
  }
}

describe('register store', () => {
  let clock: ManualClock;
  let one: Node;
  let two: Node;

  beforeEach(() => {
    clock = new ManualClock();
    const acceptors = VOTERS.map((voter) => new Acceptor(newAcceptorState(bits128(voter + 3)), DISK));
    one = new Node(1, clock, acceptors);
    two = new Node(2, clock, acceptors);
  });

  const propose = (node: Node, version: number, text: string): void => {
    node.propose(version, text);
    node.deliver();
    node.deliver();
  };

  it('says lost if another document has the version', () => {
    propose(one, 0, 'one');
    propose(two, 0, 'two');
    // Its first ballot is none above that of the other.
    clock.advance(100);
    two.deliver();
    two.deliver();
    expect([...one.outcomes, ...two.outcomes]).toEqual(['won', 'lost']);
  });

  it('says lost without another round if it is refused and another document has the version', () => {
    propose(two, 0, 'two');
    one.propose(0, 'one');
    // Its ballot is below that of the other, which voters tell it.
    one.deliver();
    expect(one.outcomes).toEqual(['lost']);
    propose(two, 1, 'three');
    expect(two.outcomes).toEqual(['won', 'won']);
  });

  it('brings a document to its end that a dead proposer left with one voter', () => {
    one.propose(0, 'one');
    one.deliver();
    one.deliver([0], true);
    for (let attempt = 0; attempt < 4; attempt++) {
      propose(two, two.outcomes.includes('lost') ? 1 : 0, 'two');
      clock.advance(100);
      two.deliver();
      two.deliver();
    }
    expect(two.outcomes).toContain('won');
  });

  it('notes when another node proposes, not when it does itself', () => {
    const store = new RegisterStore({
      ...{ voterCount: 1, incarnation: bits128(1), clock, random: seededRandom(1), deadlineMs: 400 },
      send: () => {},
    });
    clock.advance(50);
    const prepare = (digit: number): VoterRequest => {
      return { kind: 'prepare', round: 1, ballot: { counter: 1, incarnation: bits128(digit) } };
    };
    store.overhear(prepare(1));
    store.overhear({ kind: 'state', round: 1 });
    expect(store.rivalMs).toBe(Number.NEGATIVE_INFINITY);
    store.overhear(prepare(2));
    expect(store.rivalMs).toBe(clock.monotonicMs());
  });

  it('does not say lost of a document that voters were given, and that may have been chosen and replaced since', () => {
    one.propose(0, 'one');
    one.deliver();
    one.deliver([0, 1], true);
    // Chosen by two of three, and nobody was told. The other node builds on it.
    propose(two, 1, 'two');
    clock.advance(100);
    two.deliver();
    two.deliver();
    expect(two.outcomes).toEqual(['won']);
    // The third voter refuses, so the first node begins again, and finds what came after its own document.
    one.deliver([2]);
    clock.advance(100);
    one.deliver();
    one.deliver();
    expect(one.outcomes).toEqual(['unknown']);
  });
});
