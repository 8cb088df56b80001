import { type ClientView, LarderError, OperationKind } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { bytes } from './codecs/bytes.js';
import { text } from './codecs/text.js';
import { connectTo, startNodes, stoppedClock } from './connection/testing/connected.js';
import { pair, UNSPREAD } from './connection/testing/pair.js';
import { rejection } from './connection/testing/rejection.js';
import { type ScriptedNode, viewOwnedBy } from './connection/testing/scripted-node.js';
import type { SentOperation } from './connection/testing/scripted-session.js';

function refuse(operations: readonly SentOperation[], viewVersion: number): void {
  for (const operation of operations) {
    const error = new LarderError('NOT_OWNER', 'partition 7 belongs to another', {
      outcome: 'not-applied',
      details: { viewVersion },
    });
    operation.session.failed(operation, error);
  }
}

describe('a node that does not own the key', () => {
  test('its view is fetched and the call goes to the owner', async () => {
    const { one, other, larder, cache, move } = await pair();
    const changed = new Promise<ClientView>((resolve) => larder.on('topology', resolve));
    one.script = (operations) => refuse(operations, 2);
    const questions = one.viewQuestions;
    const view = move(other, 2);
    expect(await cache.set('a', 'x')).toMatchObject({ copies: 2 });
    expect(other.store.entries.size).toBe(1);
    expect(one.viewQuestions).toBe(questions + 1);
    expect(await changed).toEqual(view);
    expect(larder.topology()).toEqual(view);
    await other.operations.take();
    await cache.get('a');
    expect(await other.operations.take()).toMatchObject({ key: 'a', kind: OperationKind.get });
  });

  test('one question serves all calls that were refused', async () => {
    const { one, other, cache, move } = await pair();
    one.script = (operations) => refuse(operations, 2);
    const questions = one.viewQuestions;
    move(other, 2);
    await cache.setMany(Array.from({ length: 200 }, (_, index) => [`key-${index}`, 'x'] as const));
    expect(other.store.entries.size).toBe(200);
    expect(one.viewQuestions).toBe(questions + 1);
  });

  test('while its view says otherwise the call is tried again after pauses, until its deadline', async () => {
    const clock = stoppedClock();
    const { one, cache } = await pair({ clock, random: UNSPREAD });
    one.script = (operations) => {
      for (const operation of operations) {
        if (operation.key === 'a') refuse([operation], 1);
        else one.behave([operation]);
      }
    };
    const write = rejection(cache.set('a', 'x'));
    let refusals = 0;
    while (clock.monotonicMs() < 1_000) {
      const { key } = await one.operations.take();
      if (key !== 'a') continue;
      refusals++;
      // Its answer comes after the refusal, so the call waits for its next turn by then.
      await cache.get('marker', { timeout: '10m' });
      clock.advance(180);
    }
    expect(await write).toMatchObject({ code: 'NOT_OWNER', outcome: 'not-applied', node: 'n1', retryable: true });
    expect(refusals).toBe(6);
  });

  test('a call that waits for a place can be aborted: it was not applied', async () => {
    const clock = stoppedClock();
    const { one, cache } = await pair({ clock });
    one.script = (operations) => refuse(operations, 1);
    const abort = new AbortController();
    const write = cache.set('a', 'x', { signal: abort.signal });
    const questions = one.viewQuestions;
    while (one.viewQuestions === questions) await new Promise(setImmediate);
    abort.abort();
    expect(await rejection(write)).toMatchObject({ code: 'ABORTED', outcome: 'not-applied' });
  });

  test('large values find their owner too', async () => {
    const { one, other, larder, move } = await pair();
    const cache = larder.cache('blobs', { codec: bytes() });
    const value = Buffer.alloc(200_000, 7);
    one.bulkScript = ({ transfer }, bulk) =>
      bulk.stream.write({ transfer, reply: { failure: { code: 4, message: 'not mine', outcome: 1 } } });
    move(other, 2);
    expect(await cache.set('a', value)).toMatchObject({ copies: 2 });
    expect(value.equals(other.store.entries.get('blobs/a')?.value as Buffer)).toBe(true);
  });
});

describe('a view that changes', () => {
  test('one that a session tells moves the calls at once, and the old owner’s answers still count', async () => {
    const { one, other, larder, cache, move } = await pair({ clock: stoppedClock() });
    one.script = () => {};
    const early = cache.get('a');
    const operation = await one.operations.take();
    const changed = new Promise<ClientView>((resolve) => larder.on('topology', resolve));
    const view = move(other, 2);
    operation.session.send((writer) => writer.view(view));
    await changed;
    await cache.set('b', 'x');
    expect(other.store.entries.size).toBe(1);
    operation.session.hit(operation, Buffer.from('old'));
    expect(await early).toBe('old');
  });

  test('an older one is passed over, and so is the same again', async () => {
    const { one, larder, cache, move } = await pair();
    let changes = 0;
    larder.on('topology', () => changes++);
    const [session] = one.live;
    const view = one.view;
    session?.send((writer) => writer.view({ ...view, version: 0, owners: view.owners.map(() => 1) }));
    session?.send((writer) => writer.view(view));
    await cache.get('a');
    expect(changes).toBe(0);
    move(one, 1);
  });

  test('nodes that disagree under one version do not turn the client round faster than once a second', async () => {
    const clock = stoppedClock();
    const { one, other, larder, cache } = await pair({ clock });
    const changes: string[] = [];
    larder.on('topology', ({ nodes, owners }) => changes.push(nodes[owners[0] as number]?.id as string));
    const nodes = [one, other];
    const [session] = one.live;
    session?.send((writer) => {
      for (let turn = 0; turn < 10; turn++) {
        writer.view(viewOwnedBy(other, nodes, 1));
        writer.view(viewOwnedBy(one, nodes, 1));
      }
    });
    await cache.get('a');
    expect(changes).toEqual(['n2']);
    clock.advance(1_000);
    session?.send((writer) => writer.view(viewOwnedBy(one, nodes, 1)));
    await new Promise<void>((resolve) => larder.on('topology', () => resolve()));
    expect(changes).toEqual(['n2', 'n1']);
  });

  test('calls that wait for a node which is dropped go to the new owner; those under way there end first', async () => {
    const { one, other, larder, cache, move } = await pair({ clock: stoppedClock() });
    one.script = () => {};
    const early = cache.get('a');
    const operation = await one.operations.take();
    const alone = { ...viewOwnedBy(other, [other], 2) };
    one.view = other.view = alone;
    const changed = new Promise((resolve) => larder.on('topology', resolve));
    operation.session.send((writer) => writer.view(alone));
    await changed;
    await cache.set('b', 'x');
    expect(other.store.entries.size).toBe(1);
    expect(one.live.size).toBe(1);
    operation.session.hit(operation, Buffer.from('old'));
    expect(await early).toBe('old');
    await one.ends.take();
    expect(one.live.size).toBe(0);
    move(other, 3);
  });

  test('a large value of which a dropped node speaks last is fetched from the new owner', async () => {
    const { one, other, larder } = await pair({ clock: stoppedClock() });
    const cache = larder.cache('blobs', { codec: bytes() });
    const value = Buffer.alloc(200_000, 7);
    other.store.set('blobs/a', value, -1);
    one.script = () => {};
    const read = cache.get('a');
    const operation = await one.operations.take();
    const changed = new Promise((resolve) => larder.on('topology', resolve));
    operation.session.send((writer) => writer.view(viewOwnedBy(other, [other], 2)));
    await changed;
    operation.session.send((writer) => writer.bulk(operation.id, value.length, 1, 1, -1));
    expect(value.equals((await read) as Buffer)).toBe(true);
    expect(one.bulkRequests.length).toBe(0);
  });

  test('reads that were under way on a dropped node which dies go to the new owner', async () => {
    const { one, other, larder, cache } = await pair({ clock: stoppedClock() });
    other.store.set('names/a', Buffer.from('new'), -1);
    one.script = () => {};
    const read = cache.get('a');
    const operation = await one.operations.take();
    const changed = new Promise((resolve) => larder.on('topology', resolve));
    operation.session.send((writer) => writer.view(viewOwnedBy(other, [other], 2)));
    await changed;
    one.kill();
    expect(await read).toBe('new');
  });
});

describe('a node that is gone', () => {
  test('another one is asked for the view, and waiting reads go where it says', async () => {
    const { one, other, cache, move } = await pair();
    other.store.set('names/a', Buffer.from('taken over'), -1);
    one.script = () => {};
    const read = cache.get('a');
    await one.operations.take();
    move(other, 2);
    one.kill();
    expect(await read).toBe('taken over');
  });

  test('should all nodes have moved, the endpoints are asked again', async () => {
    const nodes = await startNodes(2);
    const [old, moved] = nodes as [ScriptedNode, ScriptedNode];
    old.view = viewOwnedBy(old, [old], 1);
    moved.view = viewOwnedBy(moved, [moved], 2);
    let endpoints = [old.address];
    const larder = await connectTo(old, { endpoints: async () => endpoints });
    const cache = larder.cache('names', { codec: text() });
    await cache.get('a');
    endpoints = [moved.address];
    moved.store.set('names/a', Buffer.from('here'), -1);
    old.kill();
    expect(await cache.get('a')).toBe('here');
  });
});

test('a node that is about to stop says UNAVAILABLE: reads and writes are tried again', async () => {
  const { one, cache } = await pair();
  one.store.set('names/a', Buffer.from('kept'), -1);
  let stopping = 3;
  one.script = (operations) => {
    for (const operation of operations) {
      if (stopping-- > 0)
        operation.session.failed(
          operation,
          new LarderError('UNAVAILABLE', 'shutting down', { outcome: 'not-applied' }),
        );
      else one.behave([operation]);
    }
  };
  const [read, write] = [cache.get('a'), cache.set('b', 'x')];
  expect(await write).toMatchObject({ copies: 2 });
  expect(await read).toBe('kept');
});
