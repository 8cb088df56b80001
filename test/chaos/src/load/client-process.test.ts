import { type Cluster, startCluster } from '@larder/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { judgeKey } from '../check/judge-key.js';
import { KeyHistories } from '../check/key-histories.js';
import type { FromClient } from './client-messages.js';
import { ClientProcess } from './client-process.js';
import { monotonicMs } from './monotonic.js';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, config: { caches: { memory: {}, through: {}, behind: {} } } });
});
afterAll(() => cluster.stop());

function start(listener: (message: FromClient) => void): ClientProcess {
  const { endpoints } = cluster;
  const load = { callers: 4, pauseMs: 1, timeoutMs: 5_000, clientCount: 1, index: 0, originMs: monotonicMs() };
  return new ClientProcess({ client: 'c', endpoints, ...load }, listener);
}

test('a client tells of calls of every kind, audits its keys when it is told to finish, and ends', async () => {
  const histories = new KeyHistories(['c']);
  const kinds = new Set<string>();
  let count = 0;
  let enough = (): void => {};
  const hadEnough = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const messages: FromClient[] = [];
  const client = start((message) => {
    messages.push(message);
    if (message.kind !== 'calls') return;
    for (const { record, endMs } of message.calls) {
      histories.add(record, endMs);
      kinds.add(`${record.cache} ${record.kind} ${record.outcome}`);
      count++;
    }
    if (count > 1_000) enough();
  });
  await hadEnough;
  await client.finish();
  expect(messages.filter(({ kind }) => kind !== 'calls')).toEqual([{ kind: 'finished' }]);
  for (const cache of ['memory', 'through', 'behind']) {
    for (const kind of ['get', 'set', 'delete']) expect(kinds).toContain(`${cache} ${kind} ok`);
  }
  const told = histories.takeAll();
  expect(told.length).toBeGreaterThanOrEqual(300);
  for (const { calls } of told) expect(judgeKey(calls)).toMatchObject({ lost: 0, staleReads: 0, undecided: false });
});

test('a client that is killed is told of as something wrong', async () => {
  const messages: FromClient[] = [];
  const client = start((message) => messages.push(message));
  await client.kill();
  expect(messages).toContainEqual({ kind: 'bug', message: 'client c ended with exit code null' });
});
