import { Acknowledgement } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { text } from './codecs/text.js';
import { connectTo, startNode } from './connection/testing/connected.js';
import { pair } from './connection/testing/pair.js';
import { rejection } from './connection/testing/rejection.js';
import type { SentOperation } from './connection/testing/scripted-session.js';

describe('acknowledgements', () => {
  test('are replicated unless client, cache or call say otherwise, the nearest one counts', async () => {
    const node = await startNode();
    const plain = (await connectTo(node)).cache('names', { codec: text() });
    await plain.set('a', 'x');
    await plain.set('a', 'x', { ack: 'owner' });
    const fast = await connectTo(node, { ack: 'owner' });
    await fast.cache('names', { codec: text() }).delete('a');
    const safe = fast.cache('names', { codec: text(), ack: 'replicated' });
    await safe.expire('a', '1h');
    await safe.setMany([['a', 'x']], { ack: 'owner' });
    await safe.deleteMany(['a'], { ack: 'owner' });
    const { replicated, owner } = Acknowledgement;
    const sent = await node.operations.takeMany(6);
    expect(sent.map(({ ack }) => ack)).toEqual([replicated, owner, owner, replicated, owner, owner]);
  });

  test('of another name are refused wherever they are given', async () => {
    const node = await startNode();
    const larder = await connectTo(node);
    const wrong = { ack: 'quorum' as 'owner' };
    const message = "BAD_ARGUMENT: ack is 'quorum'; allowed are 'owner' and 'replicated'";
    expect((await rejection(larder.cache('names').set('a', 'x', wrong))).message).toBe(message);
    expect(() => larder.cache('names', wrong)).toThrow(message);
    expect((await rejection(connectTo(node, wrong))).message).toBe(message);
  });

  test('what was reached is told as it is', async () => {
    const { one, cache } = await pair();
    expect(await cache.set('a', 'x')).toMatchObject({ copies: 2 });
    one.script = ([operation]) =>
      operation?.session.send((writer) => writer.written((operation as SentOperation).id, 3, 4, 1));
    expect(await cache.set('a', 'x')).toMatchObject({ copies: 1, version: (3n << 53n) | 4n });
  });
});
