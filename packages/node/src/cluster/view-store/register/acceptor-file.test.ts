import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Acceptor } from './acceptor.js';
import { AcceptorFile } from './acceptor-file.js';
import { encodeAcceptorState, newAcceptorState } from './acceptor-state.js';
import type { VoterReply, VoterRequest } from './voter-messages.js';

const ballot = (counter: number) => ({ counter, incarnation: 'aa'.repeat(16) });
const value = { version: 3, document: Buffer.from('the view') };

describe('acceptor file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'larder-voter-'));
    path = join(folder, 'voter');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const ask = (acceptor: Acceptor, request: VoterRequest): Promise<VoterReply> =>
    new Promise((resolve) => acceptor.receive(request, resolve));
  const reopen = async (found = false): Promise<Acceptor> => {
    const file = new AcceptorFile(path);
    return new Acceptor(await file.open({ found }), file);
  };

  it('remembers its identity, its promise and what it accepted when it is opened again', async () => {
    const first = await reopen(true);
    const { diskId } = await ask(first, { kind: 'prepare', round: 1, ballot: ballot(4) });
    await ask(first, { kind: 'accept', round: 2, ballot: ballot(4), value });
    const second = await reopen();
    const state = await ask(second, { kind: 'state', round: 3 });
    expect(state).toMatchObject({ diskId, promised: ballot(4), accepted: { ballot: ballot(4) } });
    expect(Buffer.from(state.accepted.value.document).toString()).toBe('the view');
    expect((await ask(second, { kind: 'prepare', round: 4, ballot: ballot(3) })).kind).toBe('refused');
    expect((await ask(second, { kind: 'accept', round: 5, ballot: ballot(3), value })).kind).toBe('refused');
  });

  it('is refused when it is missing: the disk may have been wiped', async () => {
    await expect(reopen()).rejects.toThrow(/CONFIG: there is no voter's file at .*wiped/);
  });

  it('is refused when it was cut anywhere, or is of another kind', async () => {
    await reopen(true);
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole);
      truncateSync(path, length);
      await expect(reopen(true)).rejects.toThrow(/CONFIG: the voter's file at .* is damaged/);
    }
  });

  it('is the old one when the process died before the new one was whole', async () => {
    const first = await reopen(true);
    await ask(first, { kind: 'prepare', round: 1, ballot: ballot(4) });
    writeFileSync(`${path}.new`, 'half of i');
    expect((await ask(await reopen(), { kind: 'state', round: 2 })).promised).toEqual(ballot(4));
  });

  it('promises nothing any more after its disk failed', async () => {
    const disk = { save: (_: Uint8Array, done: (error: Error) => void) => done(new Error('no space left')) };
    const acceptor = new Acceptor(newAcceptorState('00'.repeat(16)), disk);
    let replies = 0;
    for (const counter of [1, 2])
      acceptor.receive({ kind: 'prepare', round: 1, ballot: ballot(counter) }, () => replies++);
    expect(replies).toBe(0);
    expect(acceptor.failed?.message).toBe('no space left');
  });

  it('answers only when what it says is on disk', () => {
    for (const voterSyncsFirst of [true, false]) {
      const saves: ((error: undefined) => void)[] = [];
      const disk = { save: (_: Uint8Array, done: (error: undefined) => void) => void saves.push(done) };
      const state = newAcceptorState('00'.repeat(16));
      const acceptor = new Acceptor(state, disk, { voterSyncsFirst, voterPromise: true });
      const replies: string[] = [];
      acceptor.receive({ kind: 'prepare', round: 1, ballot: ballot(1) }, ({ kind }) => replies.push(kind));
      expect(replies).toEqual(voterSyncsFirst ? [] : ['promised']);
      saves[0]!(undefined);
      expect(replies).toEqual(['promised']);
    }
  });

  it('shows to readers only what is on disk', () => {
    const acceptor = new Acceptor(newAcceptorState('00'.repeat(16)), { save: () => {} });
    acceptor.receive({ kind: 'accept', round: 1, ballot: ballot(1), value }, () => {});
    let shown: VoterReply | undefined;
    acceptor.receive({ kind: 'state', round: 2 }, (reply) => {
      shown = reply;
    });
    expect(shown?.accepted.value.version).toBe(0);
  });
});

describe('a new file of a voter among others', () => {
  it('has to be founded, and remembers how far that is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'larder-voter-'));
    try {
      const file = new AcceptorFile(join(folder, 'voter'));
      const state = await file.openFounding();
      expect(state.founding).toEqual({ phase: 'founding', disks: [] });
      const founding = { phase: 'agreed', disks: [state.diskId, '5'.repeat(32), '6'.repeat(32)] } as const;
      await new Promise((resolve) => file.save(encodeAcceptorState({ ...state, founding }), resolve));
      expect(await file.openFounding()).toMatchObject({ diskId: state.diskId, founding });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
