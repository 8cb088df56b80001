import { seededRandom, systemClock } from '@larder/base';
import { freePorts } from '@larder/test-kit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AskClusterOptions, askCluster } from './ask-cluster.js';
import { KeptLog } from './testing/kept-log.js';
import { TestVoter } from './testing/test-voter.js';
import type { NodeAddress } from './voter-client.js';

const settings = { caches: ['cities', 'people'], copies: 2 };
let self: NodeAddress;
let nobody: NodeAddress;
let log: KeptLog;
const running: TestVoter[] = [];

beforeEach(async () => {
  const [first, second] = (await freePorts(2)).map((port) => `127.0.0.1:${port}`) as [string, string];
  self = { id: 'n1', address: first };
  nobody = { id: 'n2', address: second };
  log = new KeptLog();
});
afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
});

const startNode = async (voters = [self]): Promise<void> => {
  const members = [{ id: 'n1', address: self.address }];
  const describe = () => ({ node: 'n1', cluster: 'c'.repeat(32), viewVersion: 7, voters, members, ...settings });
  running.push(await TestVoter.start(self, [self], { describe }));
};
const ask = (addresses: readonly string[], options: Partial<AskClusterOptions> = {}) =>
  askCluster(addresses, { clock: systemClock, random: seededRandom(1), log: log.asLog, settings, ...options });

it('learns the voters and members from the first node that answers', async () => {
  await startNode();
  expect(await ask([nobody.address, self.address])).toEqual({
    ...{ node: 'n1', cluster: 'c'.repeat(32), viewVersion: 7 },
    ...{ voters: [self], members: [{ id: 'n1', address: self.address }] },
    ...settings,
  });
});

it('asks again until a node answers, and says once that it waits', async () => {
  const asked = ask([self.address]);
  while (log.lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await startNode();
  expect((await asked).node).toBe('n1');
  expect(log.lines.map(({ level, event }) => `${level} ${event}`)).toEqual(['warn join-waits']);
});

it('gives up in time and says what became of each address', async () => {
  await expect(ask([nobody.address, self.address], { timeoutMs: 10 })).rejects.toThrow(
    new RegExp(
      `^UNAVAILABLE: no node of ${nobody.address}, ${self.address} answered within 10 ms: the node at ${nobody.address} cannot be reached: .*; the node at ${self.address} cannot`,
    ),
  );
});

it('does not join a cluster with another partition count', async () => {
  await startNode();
  await expect(ask([self.address], { partitionCount: 16 })).rejects.toThrow(
    `INCOMPATIBLE: the node at ${self.address} has 1024 partitions; this node was built for 16`,
  );
});

it('does not join a cluster whose nodes have another configuration, and says where it differs first', async () => {
  await startNode();
  await expect(ask([self.address], { settings: { caches: ['cities', 'towns'], copies: 2 } })).rejects.toThrow(
    `INCOMPATIBLE: cache 2 of the node at ${self.address} is "people", and of this node "towns"; all nodes list the same`,
  );
});

it.each([
  ['no voters', []],
  ['an address that is none', [{ id: 'n1', address: 'nowhere' }]],
  ['two voters of one name', ['7001', '7002', '7003'].map((port) => ({ id: 'n1', address: `127.0.0.1:${port}` }))],
])('does not believe in %s', async (_, voters) => {
  await startNode(voters);
  await expect(ask([self.address])).rejects.toThrow(
    /^BAD_ARGUMENT: the node at .* describes a cluster with the voters/,
  );
});
