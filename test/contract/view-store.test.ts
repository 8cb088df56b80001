import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, systemClock } from '@larder/base';
import {
  Acceptor,
  type CasOutcome,
  MemoryViewStore,
  newAcceptorState,
  openFileViewStore,
  RegisterStore,
  type ViewReading,
  type ViewStore,
} from '@larder/node/internal';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

/** What every view store must do, whatever stands behind it. */

const folder = mkdtempSync(join(tmpdir(), 'larder-view-store-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

const read = (store: ViewStore): Promise<ViewReading> => new Promise((resolve) => store.read(resolve));
const cas = (store: ViewStore, version: number, text: string): Promise<CasOutcome> =>
  new Promise((resolve) => store.cas(version, Buffer.from(text), resolve));
const textOf = (reading: ViewReading): string =>
  `${reading?.version} ${Buffer.from(reading?.document ?? []).toString()}`;

/** Two nodes on three voters, one of which never answers. */
function registers(): ViewStore[] {
  const acceptors = [0, 1].map((index) => {
    const disk = { save: (_: Uint8Array, done: (error: undefined) => void) => queueMicrotask(() => done(undefined)) };
    return new Acceptor(newAcceptorState(`0${index}`.repeat(16)), disk);
  });
  return ['aa', 'bb'].map((digits, index) => {
    const store: RegisterStore = new RegisterStore({
      voterCount: 3,
      incarnation: digits.repeat(16),
      clock: systemClock,
      random: seededRandom(index),
      deadlineMs: 5_000,
      send: (voter, request) => {
        acceptors[voter]?.receive(request, (reply) => queueMicrotask(() => store.receive(voter, reply)));
      },
    });
    return store;
  });
}

const stores: Record<string, () => Promise<ViewStore[]>> = {
  memory: async () => {
    const store = new MemoryViewStore();
    return [store, store];
  },
  file: async () => {
    const options = { found: true, incarnation: 'cc'.repeat(16), deadlineMs: 5_000 };
    const path = join(folder, `view-${files++}`);
    const store = await openFileViewStore({ ...options, path, clock: systemClock, random: seededRandom(1) });
    return [store, store];
  },
  'register of three voters, one dead': async () => registers(),
};

describe.each(Object.entries(stores))('%s', (_, open) => {
  let one: ViewStore;
  let other: ViewStore;
  beforeEach(async () => {
    [one, other] = (await open()) as [ViewStore, ViewStore];
  });

  it('is empty at first, at version 0', async () => {
    expect(textOf(await read(one))).toBe('0 ');
  });

  it('shows to everybody what was written', async () => {
    expect(await cas(one, 0, 'first')).toBe('won');
    expect(await cas(other, 1, 'second')).toBe('won');
    expect(textOf(await read(one))).toBe('2 second');
    expect(textOf(await read(other))).toBe('2 second');
  });

  it('lets the version before lose, and changes nothing', async () => {
    await cas(one, 0, 'first');
    expect(await cas(other, 0, 'late')).toBe('lost');
    expect(await cas(other, 5, 'early')).toBe('lost');
    expect(textOf(await read(other))).toBe('1 first');
  });

  it('lets one of two win that want the same version', async () => {
    const outcomes = await Promise.all([cas(one, 0, 'mine'), cas(other, 0, 'yours')]);
    expect(outcomes.sort()).toEqual(['lost', 'won']);
    expect((await read(one))?.version).toBe(1);
  });

  it('answers in a later turn', () => {
    let answered = false;
    one.read(() => {
      answered = true;
    });
    expect(answered).toBe(false);
  });
});
