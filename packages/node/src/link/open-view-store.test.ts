import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock, seededRandom, systemClock } from '@larder/base';
import { freePorts } from '@larder/test-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleView } from '../cluster/sample-view.js';
import { encodeView } from '../cluster/view-codec.js';
import { askCluster } from './ask-cluster.js';
import { openViewStore } from './open-view-store.js';
import { KeptLog } from './testing/kept-log.js';
import { TestVoter } from './testing/test-voter.js';
import type { NodeAddress } from './voter-client.js';

// Voters on real gRPC servers with real files.

const FIRST = encodeView(sampleView({ version: 1 }));
const OTHER = encodeView(sampleView({ version: 1, by: '77'.repeat(8) }));
const SECOND = encodeView(sampleView({ version: 2 }));

const running: TestVoter[] = [];
let folder: string;
let addresses: NodeAddress[];
let voters: NodeAddress[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'larder-voters-'));
  addresses = (await freePorts(4)).map((port, index) => ({ id: `n${index + 1}`, address: `127.0.0.1:${port}` }));
  voters = addresses.slice(0, 3);
});
afterEach(async () => {
  for (const voter of running.splice(0)) await voter.stop();
  rmSync(folder, { recursive: true, force: true });
});

const start: typeof TestVoter.start = async (...options) => {
  const voter = await TestVoter.start(...options);
  running.push(voter);
  return voter;
};
const startVoter = (index: number, list: readonly NodeAddress[] = voters): Promise<TestVoter> =>
  start(list[index]!, list, { dataDir: join(folder, list[index]!.id) });
const startAll = (): Promise<TestVoter[]> => Promise.all(voters.map((_, index) => startVoter(index)));
const stop = (voter: TestVoter): Promise<void> => {
  running.splice(running.indexOf(voter), 1);
  return voter.stop();
};
const errors = ({ log }: TestVoter): (string | undefined)[] =>
  log.lines.filter(({ level }) => level === 'error').map(({ error }) => error);

describe('the view store of a cluster', () => {
  it('is founded by its voters without being told', async () => {
    const [one, two, three] = (await startAll()) as [TestVoter, TestVoter, TestVoter];
    expect((await one.readSurely()).version).toBe(0);
    expect(await one.cas(0, FIRST)).toBe('won');
    expect(await two.cas(0, OTHER)).toBe('lost');
    expect(Buffer.compare((await three.readSurely()).document, FIRST)).toBe(0);
    // Two voters suffice for all of this: the first may be through with the founding after them.
    await expect.poll(() => one.log.lines.map(({ event }) => event)).toEqual(['founding', 'voting']);
  });

  it('does not answer before all voters have been seen', async () => {
    const [one] = [await startVoter(0), await startVoter(1)];
    expect(await one.read()).toBeUndefined();
    await startVoter(2);
    expect((await one.readSurely()).version).toBe(0);
  });

  it('says for whom it waits, if its founding takes long', async () => {
    const clock = new ManualClock();
    const one = await start(voters[0]!, voters, { clock });
    clock.advance(10_000);
    const waits = one.log.lines.find(({ event }) => event === 'founding-waits');
    expect(waits).toMatchObject({ reason: 'UNAVAILABLE: voter n1 does not vote yet: it waits for n2, n3' });
  });

  it('is reached by nodes that are no voters', async () => {
    await startAll();
    const settings = { caches: [], copies: 2 };
    const options = { clock: systemClock, random: seededRandom(4), log: new KeptLog().asLog, settings };
    const described = await askCluster([voters[1]!.address], options);
    const other = await start(addresses[3]!, described.voters);
    await other.readSurely();
    expect(await other.cas(0, FIRST)).toBe('won');
    expect(other.log.lines).toEqual([]);
  });

  it('is the voter itself if there is only one, in memory', async () => {
    const alone = await start(addresses[0]!, [addresses[0]!]);
    await alone.readSurely();
    expect(await alone.cas(0, FIRST)).toBe('won');
    expect((await alone.readSurely()).version).toBe(1);
  });

  it('is there again after all voters were stopped, as soon as two are back', async () => {
    const [one, two, three] = (await startAll()) as [TestVoter, TestVoter, TestVoter];
    await one.readSurely();
    expect(await one.cas(0, FIRST)).toBe('won');
    expect(await two.cas(1, SECOND)).toBe('won');
    for (const voter of [one, two, three]) await stop(voter);
    const again = await startVoter(1);
    await startVoter(2);
    expect((await again.readSurely()).version).toBe(2);
  });

  it('goes on without a voter whose disk was wiped, and that one says why', async () => {
    const [one, , three] = (await startAll()) as [TestVoter, TestVoter, TestVoter];
    await three.readSurely();
    expect(await one.cas(0, FIRST)).toBe('won');
    await stop(three);
    rmSync(join(folder, 'n3'), { recursive: true });
    const wiped = await startVoter(2);
    expect((await wiped.readSurely()).version).toBe(1);
    expect(await wiped.cas(1, SECOND)).toBe('won');
    while (errors(wiped).length === 0) await wiped.read();
    expect(errors(wiped)).toEqual([
      expect.stringMatching(/^CONFIG: voter n3 does not vote: voter n\d knows another disk/),
    ]);
    expect(wiped.log.lines.map(({ event }) => event)).not.toContain('voting');
  });

  it('goes on without a voter whose file was cut in half, and that one says why', async () => {
    const [one, , three] = (await startAll()) as [TestVoter, TestVoter, TestVoter];
    await three.readSurely();
    expect(await one.cas(0, FIRST)).toBe('won');
    await stop(three);
    const path = join(folder, 'n3', 'voter');
    truncateSync(path, readFileSync(path).length / 2);
    const damaged = await startVoter(2);
    expect((await damaged.readSurely()).version).toBe(1);
    expect(errors(damaged)).toEqual([expect.stringMatching(/^CONFIG: the voter's file at .* is damaged/)]);
  });

  it('is not opened by its only voter with a damaged file', async () => {
    const alone = await startVoter(0, [addresses[0]!]);
    await alone.readSurely();
    await stop(alone);
    truncateSync(join(folder, 'n1', 'voter'), 20);
    await expect(startVoter(0, [addresses[0]!])).rejects.toThrow(/^CONFIG: the voter's file at .* is damaged/);
  });

  it('is not opened where no file can be kept', async () => {
    const options = { clock: systemClock, random: seededRandom(1), log: new KeptLog().asLog };
    const alone = { voters: [addresses[0]!], selfId: 'n1', dataDir: '/dev/null/data' };
    await expect(openViewStore({ ...alone, ...options })).rejects.toThrow(
      /^CONFIG: a voter's file cannot be kept in \/dev\/null\/data/,
    );
    await expect(openViewStore({ voters: voters.slice(0, 2), selfId: 'n1', ...options })).rejects.toThrow(
      'CONFIG: 2 voters; allowed are 1, 3 or 5',
    );
  });

  it('is not founded by nodes that were given different voters, and each of them says so', async () => {
    const one = await startVoter(0);
    await startVoter(1);
    const three = await startVoter(0, [voters[2]!]);
    while (one.log.lines.every(({ event }) => event !== 'voter-failed')) await one.read();
    expect(one.log.lines.find(({ event }) => event === 'voter-failed')?.error).toBe(
      'INCOMPATIBLE: the voters of who asks are n1, n2, n3; those of node n3 are n3',
    );
    expect(three.log.lines.map(({ event }) => event)).toEqual(['founding', 'voting']);
  });
});

describe('a voter that accepts connections and says nothing', () => {
  it('is connected to anew after a while', async () => {
    const sockets: Socket[] = [];
    let connections = 0;
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      connections++;
    });
    const [, port] = addresses[1]!.address.split(':');
    await new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve));
    const one = await start(voters[0]!, voters, { callMs: 50 });
    while (connections < 2) await one.read();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});
