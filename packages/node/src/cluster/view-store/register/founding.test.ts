import { ManualClock, type Random, seededRandom } from '@larder/base';
import type { LarderError } from '@larder/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AcceptorState, decodeAcceptorState, unfoundedState } from './acceptor-state.js';
import { Founding, type FoundingReport, foundingStep } from './founding.js';

const NAMES = ['n1', 'n2', 'n3'];
const disk = (digit: string): string => digit.repeat(32);
const [A, B, C, D] = ['a', 'b', 'c', 'd'].map(disk) as [string, string, string, string];
const founding = (diskId: string): FoundingReport => ({ diskId, phase: 'founding', disks: [] });
const agreed = (diskId: string, disks = [A, B, C]): FoundingReport => ({ diskId, phase: 'agreed', disks });
const voting = (diskId: string, disks = [A, B, C]): FoundingReport => ({ diskId, phase: 'voting', disks });
const step = (own: FoundingReport, second: FoundingReport | undefined, third: FoundingReport | undefined) =>
  foundingStep(0, own, [undefined, second, third], NAMES);

describe('a voter that founds', () => {
  it('waits until it has seen all others', () => {
    expect(step(founding(A), founding(B), undefined)).toEqual({ kind: 'wait' });
  });

  it('agrees to the disks of all when it has seen them', () => {
    expect(step(founding(A), founding(B), founding(C))).toEqual({ kind: 'agree', disks: [A, B, C] });
  });

  it('agrees to the list of another at once', () => {
    expect(step(founding(A), agreed(B), undefined)).toEqual({ kind: 'agree', disks: [A, B, C] });
  });

  it('votes when all are agreed, or when one votes', () => {
    expect(step(agreed(A), agreed(B), founding(C))).toEqual({ kind: 'wait' });
    expect(step(agreed(A), agreed(B), agreed(C))).toEqual({ kind: 'vote', disks: [A, B, C] });
    expect(step(agreed(A), undefined, voting(C))).toEqual({ kind: 'vote', disks: [A, B, C] });
  });

  it('is refused when another knows an earlier disk of it', () => {
    for (const other of [agreed(B), voting(B)]) {
      const refusal = step(founding(D), other, undefined);
      expect(refusal).toMatchObject({
        kind: 'refuse',
        reason: expect.stringContaining('n2 knows another disk of voter n1'),
      });
    }
  });

  it('says whose disk was replaced before the first vote', () => {
    const refusal = step(agreed(A), agreed(B, [A, B, D]), undefined);
    expect(refusal).toMatchObject({ kind: 'refuse', reason: expect.stringContaining('the disk of n3 was replaced') });
  });

  it('has nothing to do once it votes', () => {
    expect(step(voting(A), voting(B, [D, B, C]), undefined)).toEqual({ kind: 'wait' });
  });
});

/** Voters with disks, whose messages and writes come when chance wants it; they may crash, and lose their disks. */
class Voters {
  readonly clock = new ManualClock();
  readonly disks: (AcceptorState | undefined)[];
  readonly running: (Founding | undefined)[];
  readonly refusals: LarderError[] = [];
  /** Lists under which somebody has voted. */
  readonly voted = new Set<string>();
  #events: (() => void)[] = [];

  constructor(
    readonly count: number,
    readonly random: Random,
  ) {
    this.disks = new Array(count).fill(undefined);
    this.running = new Array(count).fill(undefined);
    for (let voter = 0; voter < count; voter++) this.start(voter);
  }

  start(voter: number): void {
    if (this.running[voter] !== undefined) return;
    this.disks[voter] ??= unfoundedState(this.random.uint32().toString(16).padStart(32, '0'));
    const own: Founding = new Founding(
      voter,
      this.disks[voter],
      { save: (bytes, done) => this.#save(voter, own, decodeAcceptorState(bytes), () => done(undefined)) },
      {
        clock: this.clock,
        names: Array.from({ length: this.count }, (_, index) => `n${index}`),
        ask: (other) => this.#ask(voter, own, other),
        voting: (state) => this.#votes(state),
        refused: (error) => void this.refusals.push(error),
      },
    );
    this.running[voter] = own;
    own.start();
  }

  crash(voter: number): void {
    this.running[voter]?.stop();
    this.running[voter] = undefined;
  }

  wipe(voter: number): void {
    this.crash(voter);
    this.disks[voter] = undefined;
  }

  /** One message arrives, or one write is done; messages overtake each other. */
  oneEvent(): void {
    const [event] = this.#events.splice(this.random.integer(this.#events.length), 1);
    event?.();
  }

  settle(): void {
    for (let round = 0; round < 10; round++) {
      for (let voter = 0; voter < this.count; voter++) this.start(voter);
      this.clock.advance(200);
      while (this.#events.length > 0) this.oneEvent();
    }
  }

  get votingCount(): number {
    return this.disks.filter((state) => state?.founding.phase === 'voting').length;
  }

  #ask(voter: number, asker: Founding, other: number): void {
    if (this.#events.length > 100) return;
    this.#events.push(() => {
      const report = this.running[other]?.report;
      if (report === undefined) return;
      this.#events.push(() => {
        if (this.running[voter] === asker) asker.heard(other, report);
      });
    });
  }

  #save(voter: number, writer: Founding, state: AcceptorState, done: () => void): void {
    const isEarly = this.random.next() < 0.3;
    const before = this.disks[voter];
    const write = (): void => {
      if (this.running[voter] === writer && this.disks[voter] === before) this.disks[voter] = state;
    };
    if (isEarly) write();
    this.#events.push(() => {
      write();
      if (this.running[voter] === writer) done();
    });
  }

  #votes({ founding: { disks } }: AcceptorState): void {
    const list = disks.join();
    for (const other of this.voted) {
      if (other === list) continue;
      const holder = this.disks.find((state) => state?.founding.disks.join() === other);
      expect(holder, 'two lists are voted under').toBeUndefined();
    }
    this.voted.add(list);
  }
}

const run = (seed: number, faults: readonly ('crash' | 'wipe')[]): Voters => {
  const random = seededRandom(seed);
  const voters = new Voters(random.next() < 0.7 ? 3 : 5, random);
  for (let turn = 0; turn < 300; turn++) {
    const dice = random.next();
    const fault = faults[random.integer(faults.length)];
    if (dice < 0.05 && fault !== undefined) voters[fault](random.integer(voters.count));
    else if (dice < 0.2) voters.start(random.integer(voters.count));
    else if (dice < 0.3) voters.clock.advance(100);
    else voters.oneEvent();
  }
  voters.settle();
  return voters;
};

describe('voters that found a register', () => {
  it('all come to vote, whenever they crash', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const voters = run(seed, ['crash']);
        expect(voters.votingCount).toBe(voters.count);
        expect(voters.refusals).toEqual([]);
        expect(voters.voted.size).toBe(1);
      }),
      { numRuns: 300 },
    );
  });

  it('never vote under two lists of disks, whatever is wiped', () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        refused += run(seed, ['crash', 'wipe']).refusals.length;
      }),
      { numRuns: 600 },
    );
    expect(refused).toBeGreaterThan(0);
  });

  it('keep a voter out that was wiped while the others vote', () => {
    const voters = run(1, []);
    voters.wipe(1);
    voters.settle();
    expect(voters.votingCount).toBe(voters.count - 1);
    expect(voters.refusals[0]!.message).toMatch(
      /^CONFIG: voter n1 does not vote: voter n\d knows another disk of voter n1/,
    );
  });

  it('refuse a file that was made for another number of voters', () => {
    const refusals: LarderError[] = [];
    const state: AcceptorState = { ...unfoundedState(A), founding: { phase: 'voting', disks: [A, B, C] } };
    const host = { clock: new ManualClock(), names: ['n1'], ask() {}, voting() {} };
    new Founding(0, state, { save() {} }, { ...host, refused: (error) => void refusals.push(error) }).start();
    expect(refusals[0]!.message).toBe(
      'CONFIG: voter n1 does not vote: its file was made for 3 voters; the command line has 1',
    );
  });

  it('are refused when the disk fails', () => {
    const refusals: LarderError[] = [];
    const host = { clock: new ManualClock(), names: ['n1'], ask() {}, voting() {} };
    const broken = { save: (_: Uint8Array, done: (error: Error) => void) => done(new Error('no space left')) };
    new Founding(0, unfoundedState(A), broken, { ...host, refused: (error) => void refusals.push(error) }).start();
    expect(refusals[0]!.message).toBe('CONFIG: voter n1 does not vote: its file could not be written: no space left');
  });
});
