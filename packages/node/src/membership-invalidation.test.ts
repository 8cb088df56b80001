import { keySlice } from '@larder/proto';
import { afterEach, expect, test } from 'vitest';
import { ClusterInProcess } from './testing/cluster-in-process.js';
import { TestOrigin } from './testing/test-origin.js';

let cluster: ClusterInProcess;
afterEach(() => cluster?.close());

const KEYS = Array.from({ length: 40 }, (_, index) => `key ${index}`);
const RED = KEYS.filter((_, index) => index % 2 === 0);

async function filled(...ids: string[]): Promise<void> {
  cluster = new ClusterInProcess();
  await cluster.start(...ids);
  for (const key of KEYS) cluster.set(cluster.ownerOf(key)!, key, 'old', false, RED.includes(key) ? ['red'] : ['blue']);
  await cluster.pass(20);
}

/** What each key's owner says. */
function seen(): (string | undefined)[] {
  return KEYS.map((key) => {
    const { told } = cluster.get(cluster.ownerOf(key)!, key);
    return told === 'miss' ? undefined : told?.replace('value ', '');
  });
}

const wholeRun = (run: { done: number | undefined }): Promise<void> => cluster.until(() => run.done !== undefined);

const wholly = (value: string | undefined) => KEYS.map(() => value);
const withoutRed = () => KEYS.map((key) => (RED.includes(key) ? undefined : 'old'));

test.each(['n1', 'n2'])(
  'is known to both copies when it is answered, so it survives the death of %s',
  async (killed) => {
    await filled('n1', 'n2');
    const runs = ['n1', 'n2'].map((id) => cluster.invalidate(cluster.node(id), 'red'));
    expect(runs.some(({ done }) => done === undefined)).toBe(true);
    await cluster.until(() => runs.every(({ done }) => done !== undefined));
    expect(runs[0]!.done! + runs[1]!.done!).toBe(1_024);
    expect(seen()).toEqual(withoutRed());
    cluster.crash(killed);
    await cluster.until(() => KEYS.every((key) => cluster.ownerOf(key) !== undefined));
    expect(seen()).toEqual(withoutRed());
  },
);

test('a node that is filled while and after everything is forgotten gets nothing of it', async () => {
  await filled('n1');
  const joining = cluster.start('n2');
  await cluster.pass(300);
  const runs = [...cluster.nodes.values()].map((node) => cluster.invalidate(node));
  await joining;
  await cluster.until(() => runs.every(({ done }) => done !== undefined));
  const again = [...cluster.nodes.values()].map((node) => cluster.invalidate(node));
  await cluster.until(() => again.every(({ done }) => done !== undefined));
  for (const node of cluster.nodes.values()) {
    for (const key of KEYS) expect(cluster.stored(node, key)).toBeUndefined();
  }
  cluster.set(cluster.ownerOf('key 1')!, 'key 1', 'new');
  await cluster.pass(20);
  for (const node of cluster.nodes.values()) expect(cluster.stored(node, 'key 1')).toBe('new');
  cluster.crash('n1');
  await cluster.until(() => KEYS.every((key) => cluster.ownerOf(key) !== undefined));
  expect(seen().filter((value) => value !== undefined)).toEqual(['new']);
});

test('entries keep their tags when a node takes them over', async () => {
  await filled('n1', 'n2');
  cluster.crash('n1');
  await cluster.until(() => KEYS.every((key) => cluster.ownerOf(key) !== undefined));
  expect(seen()).toEqual(wholly('old'));
  const run = cluster.invalidate(cluster.node('n2'), 'red');
  await wholeRun(run);
  expect(run.done).toBe(1_024);
  expect(seen()).toEqual(withoutRed());
});

test('a miss is not told before the other copies know that the entry was forgotten', async () => {
  await filled('n1', 'n2');
  // Of the partitions that are dealt with in the turn of the call.
  const key = RED.find((name) => keySlice(Buffer.from(name)).partition < 128)!;
  const owner = cluster.ownerOf(key)!;
  cluster.invalidate(owner, 'red');
  const miss = cluster.get(owner, key);
  expect(miss.told).toBeUndefined();
  await cluster.pass(20);
  expect(miss.told).toBe('miss');
});

test('what the origin does not have yet stays on both copies, with its tags', async () => {
  const origin = new TestOrigin();
  cluster = new ClusterInProcess({ write: 'behind', origin: { postgresTable: { table: 'a', key: 'b' } } }, origin);
  await cluster.start('n1', 'n2');
  const owner = cluster.ownerOf('a')!;
  cluster.set(owner, 'a', 'one', false, ['red']);
  await cluster.pass(10);
  await wholeRun(cluster.invalidate(owner));
  expect(cluster.stored(owner, 'a')).toBe('one');
  expect(cluster.stored(cluster.otherThan(owner), 'a')).toBe('one');
  await cluster.pass(2_000);
  await wholeRun(cluster.invalidate(owner, 'red'));
  expect(cluster.stored(owner, 'a')).toBeUndefined();
});
