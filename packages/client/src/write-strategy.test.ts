import { WriteMode } from '@larder/proto';
import { expect, test } from 'vitest';
import { text } from './codecs/text.js';
import { connectTo, startNode } from './connection/testing/connected.js';
import { rejection } from './connection/testing/rejection.js';
import type { WriteStrategy } from './write-strategy.js';

test('a set and a delete travel with the strategy that they name, and else with none', async () => {
  const node = await startNode();
  const names = (await connectTo(node)).cache('names', { codec: text() });
  await names.set('a', 'x');
  await names.set('a', 'x', { write: 'through' });
  await names.setMany([['a', 'x']], { write: 'behind' });
  await names.delete('a', { write: 'around' });
  await names.deleteMany(['a'], { write: 'memory' });
  await names.expire('a', '1h');
  const { byPolicy, through, behind, around, memory } = WriteMode;
  const sent = await node.operations.takeMany(6);
  expect(sent.map(({ write }) => write)).toEqual([byPolicy, through, behind, around, memory, byPolicy]);
});

test('a strategy of another name is a bad argument', async () => {
  const names = (await connectTo(await startNode())).cache('names', { codec: text() });
  for (const write of ['back', 'toString', 7, null]) {
    const error = await rejection(names.set('a', 'x', { write: write as WriteStrategy }));
    expect(error).toMatchObject({ code: 'BAD_ARGUMENT', outcome: 'not-applied' });
    expect(error.message).toContain("allowed are 'through', 'behind', 'around' and 'memory'");
  }
});
