import { ManualClock, seededRandom } from '@larder/base';
import { Loader, MissCause, resolveCachePolicy } from '@larder/loader';
import { keySlice } from '@larder/proto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Explain } from './server/explain.js';
import { type LoneNode, loneNode } from './testing/lone-node.js';

const MEBIBYTE = 1024 ** 2;
const KEY = keySlice(Buffer.from('a'));

let clock: ManualClock;
let node: LoneNode;
let explain: Explain;

beforeEach(async () => {
  clock = new ManualClock();
  const caches = [{ cache: 0, memoryBytesMax: 2 * MEBIBYTE, eviction: 'lru' as const }];
  const options = { memoryBytesMax: 8 * MEBIBYTE, valueBytesMax: MEBIBYTE, caches };
  const policy = resolveCachePolicy({}, 'caches.rows');
  node = await loneNode(clock, options, (memory, id) => ({
    id,
    name: 'rows',
    memory,
    loader: new Loader({ name: 'rows', policy, memory, origin: undefined, clock, random: seededRandom(2) }),
  }));
  const { membership, context } = node;
  explain = new Explain(context, clock, (partition) => membership.member?.view?.partitions[partition]);
});
afterEach(() => node.stop());

test('keys of a partition that began anew, empty, are missed because of that for a while', () => {
  const { membership, context } = node;
  const { memory } = context.caches.all[0]!;
  const view = membership.member!.view!;
  expect(memory.missCause(KEY)).toBe(MissCause.cold);
  const partitions = view.partitions.map((placement, partition) =>
    partition === KEY.partition ? { ...placement, lost: placement.lost + 1 } : placement,
  );
  membership.viewInstalled({ ...view, version: view.version + 1, partitions });
  expect(memory.missCause(KEY)).toBe(MissCause.moved);
  expect(memory.missCause(keySlice(Buffer.from('of another partition')))).toBe(MissCause.cold);
  clock.advance(60_001);
  membership.maintain(1);
  expect(memory.missCause(KEY)).toBe(MissCause.cold);
});

test('explain of a key whose owner cannot be asked says who that is, and why', async () => {
  const request = { cache: 'rows', key: Buffer.from('a') };
  expect(await explain.answer(request)).toMatchObject({ nodeId: 'n1', owner: 'n1', successor: '', state: 'absent' });
  const { context } = node;
  const view = context.view!;
  node.stop();
  const nodes = [{ id: 'n2', address: '127.0.0.1:1' }];
  context.view = { ...view, nodes, owners: view.owners.map(() => 0) };
  const away = await explain.answer(request);
  expect(away).toMatchObject({ nodeId: 'n1', read: 'aside', write: 'memory' });
  expect(away.unserved).toContain('no node answers at 127.0.0.1:1');
  expect((await explain.answer({ ...request, forwarded: true })).unserved).toContain('has not joined a cluster yet');
  await expect(explain.answer({ ...request, cache: 'nothing' })).rejects.toMatchObject({ code: 'UNKNOWN_CACHE' });
  await expect(explain.answer({ ...request, key: Buffer.alloc(0) })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
});
