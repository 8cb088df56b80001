import { once } from 'node:events';
import { createServer } from 'node:net';
import { LarderError } from '@larder/proto';
import { watchForLeaks } from '@larder/test-kit';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connect } from './connect.js';
import { connectTo, startNode, stoppedClock } from './connection/testing/connected.js';
import { rejection } from './connection/testing/rejection.js';

let leaks: ReturnType<typeof watchForLeaks>;
beforeAll(() => {
  leaks = watchForLeaks();
});
afterAll(async () => {
  expect(await leaks.found()).toEqual([]);
});

/** Hangs up on so many connections, one after the other; `meanwhile` is called again and again. */
async function refuseConnections(port: number, count: number, meanwhile: () => void): Promise<void> {
  let refused = 0;
  const server = createServer((socket) => {
    refused++;
    socket.on('error', () => {}).destroy();
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  while (refused < count) {
    meanwhile();
    await new Promise(setImmediate);
  }
  await once(server.close(), 'close');
}

describe('close', () => {
  test('waits for the calls in flight and takes no more', async () => {
    const node = await startNode();
    const larder = await connectTo(node);
    const cache = larder.cache('names');
    await cache.get('warm-up');
    await node.operations.take();
    node.script = () => {};
    const read = cache.get('a');
    const operation = await node.operations.take();
    const closing = larder.close();
    expect(await rejection(cache.get('b'))).toMatchObject({ code: 'CLOSED' });
    expect(await rejection(cache.set('b', 1))).toMatchObject({ code: 'CLOSED', outcome: 'not-applied' });
    operation.session.hit(operation, Buffer.from('7'));
    expect(await read).toBe(7);
    await closing;
    expect(await rejection(larder.nodeStatistics())).toMatchObject({ code: 'CLOSED' });
  });

  test('does not wait longer than it was told', async () => {
    const clock = stoppedClock();
    const node = await startNode();
    const larder = await connectTo(node, { clock });
    const cache = larder.cache('names');
    await cache.get('warm-up');
    await node.operations.take();
    node.script = () => {};
    const [read, write] = [rejection(cache.get('a')), rejection(cache.set('a', 1))];
    await node.operations.takeMany(2);
    const closing = larder.close({ drain: 200 });
    const again = larder.close();
    for (let step = 0; step < 25; step++) {
      clock.advance(10);
      await Promise.resolve();
      await new Promise(setImmediate);
    }
    await Promise.all([closing, again]);
    expect(await read).toMatchObject({ code: 'CLOSED', outcome: undefined });
    expect(await write).toMatchObject({ code: 'CLOSED', outcome: 'unknown' });
    expect(clock.monotonicMs()).toBeLessThan(300);
  });

  test('refuses a drain that is no duration, and stays open', async () => {
    const larder = await connectTo(await startNode());
    expect(await rejection(larder.close({ drain: 'long' }))).toMatchObject({ code: 'BAD_ARGUMENT' });
    expect(await larder.cache('names').get('a')).toBeUndefined();
  });

  test('calls that wait for a node that is away do not hold it up beyond their deadline', async () => {
    const node = await startNode();
    const larder = await connectTo(node, { timeout: 300 });
    const cache = larder.cache('names');
    await cache.get('warm-up');
    node.kill();
    const read = rejection(cache.get('a'));
    await larder.close();
    expect(await read).toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('is what await using does', async () => {
    const node = await startNode();
    let cache: ReturnType<Awaited<ReturnType<typeof connect>>['cache']>;
    {
      await using larder = await connect({ endpoints: node.address });
      cache = larder.cache('names');
      await cache.set('a', 1);
    }
    expect(await rejection(cache.get('a'))).toMatchObject({ code: 'CLOSED' });
  });

  test('destroy ends at once, also while close waits', async () => {
    const node = await startNode();
    const larder = await connectTo(node);
    const cache = larder.cache('names');
    await cache.get('warm-up');
    await node.operations.take();
    node.script = () => {};
    const read = rejection(cache.get('a'));
    await node.operations.take();
    const closing = larder.close();
    larder.destroy();
    larder.destroy();
    expect(await read).toMatchObject({ code: 'CLOSED' });
    await closing;
    await node.ends.take();
  });
});

describe('caches', () => {
  test('the names are bounded', async () => {
    const larder = await connectTo(await startNode());
    for (let index = 0; index < 4096; index++) larder.cache(`cache-${index}`);
    expect(() => larder.cache('one-more')).toThrow("BAD_ARGUMENT: cache 'one-more' is one more than 4096");
    expect(await larder.cache('cache-4095').get('a')).toBeUndefined();
  });

  test.each(['', 'x'.repeat(129), 5, undefined])('%j is no name', async (name) => {
    const larder = await connectTo(await startNode());
    expect(() => larder.cache(name as string)).toThrow(
      /BAD_ARGUMENT: cache name is .*; allowed are 1 to 128 characters/,
    );
  });
});

describe('events', () => {
  test('degraded is told once however often the node cannot be reached, and recovered once', async () => {
    const clock = stoppedClock();
    const node = await startNode();
    const larder = await connectTo(node, { clock });
    const events: string[] = [];
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    larder.on('degraded', ({ error }) => events.push(`degraded ${error.code}`));
    larder.on('recovered', () => events.push('recovered'));
    await larder.cache('names').get('a');
    node.kill();
    await degraded;
    await refuseConnections(node.port, 8, () => clock.advance(20));
    await node.listen();
    // An attempt may be under way that finds nobody: then it takes another pause.
    while (events.length < 2) {
      clock.advance(20);
      await new Promise(setImmediate);
    }
    expect(events).toEqual(['degraded UNAVAILABLE', 'recovered']);
  });

  test('a listener is told until it is removed', async () => {
    const node = await startNode();
    const larder = await connectTo(node);
    await larder.cache('names').get('a');
    let told = 0;
    const listener = (): number => told++;
    const removers = [larder.on('topology', listener), larder.on('topology', listener)];
    const tell = async (version: number): Promise<void> => {
      const done = new Promise<void>((resolve) => larder.on('topology', () => resolve()));
      for (const session of node.live) session.send((writer) => writer.view({ ...node.view, version }));
      await done;
    };
    await tell(2);
    expect(told).toBe(2);
    removers[0]?.();
    removers[0]?.();
    await tell(3);
    expect(told).toBe(3);
  });

  test('what a listener throws, or its promise, is a warning and no more', async () => {
    const node = await startNode();
    const larder = await connectTo(node);
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    larder.on('degraded', () => {
      throw new Error('first');
    });
    larder.on('degraded', async () => {
      throw new Error('second');
    });
    const told = new Promise((resolve) => larder.on('degraded', resolve));
    await larder.cache('names').get('a');
    node.kill();
    await told;
    await new Promise(setImmediate);
    expect(warn.mock.calls.map(([warning]) => String(warning))).toEqual(['Error: first', 'Error: second']);
    warn.mockRestore();
  });

  test('there are no others', async () => {
    const larder = await connectTo(await startNode());
    expect(() => larder.on('error' as 'degraded', () => {})).toThrow(
      "BAD_ARGUMENT: on('error', [Function (anonymous)]); allowed are topology, degraded, recovered, each with a function",
    );
    expect(() => larder.on('degraded', 5 as unknown as () => void)).toThrow(LarderError);
  });
});
