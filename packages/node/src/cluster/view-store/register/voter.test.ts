import { ManualClock } from '@larder/base';
import type { LarderError } from '@larder/proto';
import { beforeEach, describe, expect, it } from 'vitest';
import { newAcceptorState, unfoundedState } from './acceptor-state.js';
import { MEMORY_DISK } from './memory-disk.js';
import { Voter } from './voter.js';
import type { VoterReply } from './voter-messages.js';

const ONE = '1'.repeat(32);
const TWO = '2'.repeat(32);
const ballot = { counter: 1, incarnation: 'aa'.repeat(16) };

let clock: ManualClock;
let asked: number[];
let refusals: LarderError[];
beforeEach(() => {
  clock = new ManualClock();
  asked = [];
  refusals = [];
});

const voterOf = (names: readonly string[], state = unfoundedState(ONE), disk = MEMORY_DISK): Voter =>
  new Voter({
    ...{ self: 0, names, state, disk, clock },
    ask: (voter) => asked.push(voter),
    voting: () => {},
    refused: (error) => refusals.push(error),
  });
const ask = (voter: Voter): Promise<VoterReply> =>
  new Promise((resolve) => voter.receive({ kind: 'prepare', round: 1, ballot }, resolve));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a voter', () => {
  it('votes by itself if there is no other', async () => {
    const voter = voterOf(['n1']);
    voter.start();
    await turn();
    expect((await ask(voter)).kind).toBe('promised');
  });

  it('does not vote before it has seen the others, and asks them until it has', async () => {
    const voter = voterOf(['n1', 'n2', 'n3']);
    voter.start();
    expect(asked).toEqual([1, 2]);
    clock.advance(100);
    expect(asked).toEqual([1, 2, 1, 2]);
    voter.heard(1, { diskId: TWO, phase: 'founding', disks: [] });
    expect(() => voter.receive({ kind: 'state', round: 1 }, () => {})).toThrow(
      'UNAVAILABLE: voter n1 does not vote yet: it waits for n3',
    );
    voter.stop();
    expect(clock.pendingCount).toBe(0);
  });

  it('asks nobody any more once it votes', async () => {
    const state = newAcceptorState(ONE, { phase: 'agreed', disks: [ONE, TWO, '3'.repeat(32)] });
    const voter = voterOf(['n1', 'n2', 'n3'], state);
    voter.start();
    voter.heard(1, { diskId: TWO, phase: 'voting', disks: state.founding.disks });
    await turn();
    expect(voter.report.phase).toBe('voting');
    expect(clock.pendingCount).toBe(0);
    expect((await ask(voter)).kind).toBe('promised');
  });

  it('that was wiped says so, and does not vote whatever it hears later', () => {
    const voter = voterOf(['n1', 'n2', 'n3']);
    voter.start();
    voter.heard(1, { diskId: TWO, phase: 'voting', disks: ['9'.repeat(32), TWO, '3'.repeat(32)] });
    expect(refusals).toHaveLength(1);
    voter.heard(1, { diskId: TWO, phase: 'founding', disks: [] });
    voter.heard(2, { diskId: '3'.repeat(32), phase: 'founding', disks: [] });
    expect(() => voter.receive({ kind: 'state', round: 1 }, () => {})).toThrow(
      /^CONFIG: voter n1 does not vote: .*wiped/,
    );
    expect(clock.pendingCount).toBe(0);
  });

  it('stops voting when its disk fails, and says so once', () => {
    let isBroken = false;
    const disk = {
      save: (_: Uint8Array, done: (error: Error | undefined) => void) =>
        done(isBroken ? new Error('no space left') : undefined),
    };
    const voter = voterOf(['n1'], unfoundedState(ONE), disk);
    voter.start();
    isBroken = true;
    voter.receive({ kind: 'prepare', round: 1, ballot }, () => expect.unreachable());
    expect(refusals.map(({ message }) => message)).toEqual([
      'CONFIG: voter n1 does not vote any more: its file could not be written: no space left',
    ]);
    expect(() => voter.receive({ kind: 'state', round: 2 }, () => {})).toThrow('no space left');
  });
});
