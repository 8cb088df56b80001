import { seededRandom } from '@larder/base';
import { type ClientView, LarderError, OperationKind, PARTITION_COUNT } from '@larder/proto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bytes } from './codecs/bytes.js';
import { text } from './codecs/text.js';
import { connectTo, startNode, startNodes, stoppedClock } from './connection/testing/connected.js';
import { pair, UNSPREAD } from './connection/testing/pair.js';
import { rejection } from './connection/testing/rejection.js';
import { type ScriptedNode, viewOwnedBy } from './connection/testing/scripted-node.js';
import type { SentOperation } from './connection/testing/scripted-session.js';
import { Larder } from './larder.js';
import { resolveConnectOptions } from './options.js';

const hold = (): void => {};
const LOST_ONCE = new Uint32Array(PARTITION_COUNT).fill(1);

function busy(operation: SentOperation): void {
  const error = new LarderError('BUSY', 'too much to do', { outcome: 'not-applied' });
  operation.session.failed(operation, error);
}

/** Is busy for calls of the key 'a' while the test says so. The answer to another call tells that they have been handled. */
function refuseKeyA(node: ScriptedNode, isBusy: () => boolean): void {
  node.script = (operations) => {
    for (const operation of operations) {
      if (operation.key === 'a' && isBusy()) busy(operation);
      else node.behave([operation]);
    }
  };
}

/** Answers the first `count` operations in one way, and all others as a node should. */
function first(node: ScriptedNode, count: number, answer: (operation: SentOperation) => void): void {
  let left = count;
  node.script = (operations) => {
    for (const operation of operations) {
      if (left-- > 0) answer(operation);
      else node.behave([operation]);
    }
  };
}

/** Tells the client a view on a session that it has with this node. */
async function tell(node: ScriptedNode, larder: Larder, view: ClientView): Promise<void> {
  const changed = new Promise((resolve) => larder.on('topology', resolve));
  const [session] = node.live;
  session?.send((writer) => writer.view(view));
  await changed;
}

/** What was sent before has been handled by the client when this resolves. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
}

describe('requests', () => {
  test('writes are numbered, reads are not, and all sessions say whose they are', async () => {
    const [one, other] = (await startNodes(2)) as [ScriptedNode, ScriptedNode];
    const larder = await connectTo(one);
    const cache = larder.cache('names', { codec: text() });
    await cache.getMany(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
    const sessions = [...one.live, ...other.live];
    expect(sessions).toHaveLength(2);
    const [id, ...more] = new Set(sessions.map(({ hello }) => hello?.clientId));
    expect(id).toBeGreaterThan(0);
    expect(more).toEqual([]);
    await cache.set('a', 'x');
    await cache.expire('a', '1h');
    await cache.delete('a');
    const sent = [...(await one.operations.takeMany(one.operations.length))];
    sent.push(...(await other.operations.takeMany(other.operations.length)));
    const requests = sent.filter(({ kind }) => kind !== OperationKind.get).map(({ request }) => request);
    expect(requests).toEqual([1, 2, 3]);
    expect(sent.filter(({ kind, request }) => kind === OperationKind.get && request !== 0)).toEqual([]);
  });

  test('a frame says below which number all are settled, and by which view it is routed, when that is news', async () => {
    const node = await startNode();
    const larder = await connectTo(node);
    const cache = larder.cache('names', { codec: text() });
    node.view = { ...node.view, version: 9 };
    await cache.get('warm-up');
    const held: SentOperation[] = [];
    node.script = (operations) => void held.push(...operations);
    const writes = [cache.set('a', '1'), cache.set('b', '2'), cache.set('c', '3')];
    await node.operations.takeMany(4);
    const [one, two, three] = held as [SentOperation, SentOperation, SentOperation];
    one.session.send((writer) => {
      for (const { id } of [three, one]) writer.written(id, 1, 1, 1);
    });
    await writes[0];
    node.script = (operations) => node.behave(operations);
    await cache.get('after 1 and 3');
    await cache.get('no news');
    two.session.written(two);
    await writes[1];
    await cache.get('after 2');
    const frames = (await node.frames.takeMany(6)).map(({ settledBelow, viewVersion }) => [settledBelow, viewVersion]);
    expect(frames).toEqual([
      [0, 1],
      [0, 9],
      [0, 0],
      [2, 0],
      [0, 0],
      [4, 0],
    ]);
  });

  test('a write that was given up is settled', async () => {
    const clock = stoppedClock();
    const { one, cache } = await pair({ clock });
    first(one, 1, hold);
    const write = rejection(cache.set('a', 'x', { timeout: 100 }));
    await one.operations.take();
    clock.advance(120);
    expect(await write).toMatchObject({ code: 'TIMEOUT', outcome: 'unknown' });
    while (one.frames.length > 0) await one.frames.take();
    await cache.set('a', 'y');
    expect(await one.frames.take()).toMatchObject({ settledBelow: 2, operations: [{ request: 2 }] });
  });
});

describe('a node that has too much to do', () => {
  test('is asked again after pauses that double, under the same number, and the write is no retry', async () => {
    const clock = stoppedClock();
    const { one, cache } = await pair({ clock, random: UNSPREAD });
    let refusals = 3;
    refuseKeyA(one, () => refusals-- > 0);
    const write = cache.set('a', 'x');
    for (const pauseMs of [10, 20, 40]) {
      expect(await one.operations.take()).toMatchObject({ key: 'a', request: 1, isRetry: false });
      await cache.get('marker');
      await one.operations.take();
      clock.advance(pauseMs - 1);
      await cache.get('marker');
      expect((await one.operations.take()).key).toBe('marker');
      clock.advance(1);
    }
    expect(await write).toMatchObject({ copies: 2 });
    expect(await one.operations.take()).toMatchObject({ key: 'a', request: 1, isRetry: false });
  });

  test('gets the writes of one key again in the order in which they were made', async () => {
    const clock = stoppedClock();
    const { one, cache } = await pair({ clock, random: seededRandom(7) });
    const values = Array.from({ length: 50 }, (_, index) => String(index));
    first(one, 50, busy);
    const writes = values.map((value) => cache.set('a', value));
    await one.operations.takeMany(50);
    await cache.get('marker');
    await one.operations.take();
    clock.advance(40);
    await Promise.all(writes);
    const again = await one.operations.takeMany(50);
    expect(again.map(({ value }) => String(value))).toEqual(values);
  });

  test('is asked until the deadline; then the call fails with what the node said', async () => {
    const clock = stoppedClock();
    const { one, cache } = await pair({ clock, random: UNSPREAD });
    refuseKeyA(one, () => true);
    const calls = [rejection(cache.set('a', 'x')), rejection(cache.get('a'))];
    for (const pauseMs of [10, 20, 40, 80, 160, 160, 160, 160, 160, 160, 60]) {
      await cache.get('marker');
      clock.advance(pauseMs);
    }
    expect(await calls[0]).toMatchObject({ code: 'BUSY', outcome: 'not-applied', node: 'n1', retryable: true });
    expect(await calls[1]).toMatchObject({ code: 'BUSY', outcome: undefined });
  });

  test('is not asked again once the retry budget is used up, but calls are still sent to the owner', async () => {
    const clock = stoppedClock();
    const nodes = await startNodes(2);
    const [one, other] = nodes as [ScriptedNode, ScriptedNode];
    one.view = viewOwnedBy(one, nodes, 1);
    other.view = viewOwnedBy(other, nodes, 2);
    const options = resolveConnectOptions({ endpoints: one.address, clock, timeout: '1s' });
    const larder = new Larder(one.view, { ...options, retryTokensMax: 5 });
    onTestFinished(() => larder.destroy());
    const cache = larder.cache('names', { codec: text() });
    one.script = (operations) => operations.forEach(busy);
    const calls = Array.from({ length: 8 }, (_, index) => cache.set(`key-${index}`, 'x'));
    // Eight tenths that the calls earned are not enough for a sixth retry.
    for (const call of calls.slice(5))
      expect(await rejection(call)).toMatchObject({ code: 'BUSY', outcome: 'not-applied' });
    one.view = other.view;
    one.script = (operations) => {
      for (const operation of operations) {
        const details = { viewVersion: 2 };
        operation.session.failed(operation, new LarderError('NOT_OWNER', 'n2 owns it', { details }));
      }
    };
    expect(await cache.set('a', 'x')).toMatchObject({ copies: 2 });
    expect(await Promise.all(calls.slice(0, 5))).toMatchObject(Array(5).fill({ copies: 2 }));
  });
});

test('a node that cannot serve a partition at the moment is asked again without regard to the budget', async () => {
  const clock = stoppedClock();
  const node = await startNode();
  const options = resolveConnectOptions({ endpoints: node.address, clock, timeout: '1s', random: UNSPREAD });
  const larder = new Larder(node.view, { ...options, retryTokensMax: 0 });
  onTestFinished(() => larder.destroy());
  const cache = larder.cache('names', { codec: text() });
  let refusals = 2;
  node.script = (operations) => {
    for (const operation of operations) {
      const details = { viewVersion: 1 };
      const error = new LarderError('BUSY', 'it is handing it over', { outcome: 'not-applied', details });
      if (operation.key === 'a' && refusals-- > 0) operation.session.failed(operation, error);
      else node.behave([operation]);
    }
  };
  const write = cache.set('a', 'x');
  for (const pauseMs of [10, 20]) {
    await cache.get('marker');
    clock.advance(pauseMs);
  }
  expect(await write).toMatchObject({ copies: 2 });
});

test('a node that is cut off from its cluster is left for the one that has taken over, which another node knows', async () => {
  const { one, other, cache } = await pair({ clock: stoppedClock() });
  one.script = (operations) => {
    for (const operation of operations) {
      const details = { viewVersion: 1 };
      const error = new LarderError('BUSY', 'its successor has not confirmed its lease', {
        outcome: 'not-applied',
        details,
      });
      operation.session.failed(operation, error);
    }
  };
  other.view = viewOwnedBy(other, [one, other], 2);
  await cache.set('a', 'x');
  expect(other.store.entries.size).toBe(1);
});

describe('a write in doubt', () => {
  /** A client with a write of which the node has got the first try, and whose connection has broken. */
  async function inDoubt(options: { readonly timeout?: number } = {}) {
    const clock = stoppedClock();
    const { one, other, larder, cache, move } = await pair({ clock });
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    first(one, 1, hold);
    const write = cache.set('a', 'x', options);
    const sent = await one.operations.take();
    one.kill();
    await degraded;
    return { clock, one, other, larder, cache, move, write, sent };
  }

  test('whose owner died goes to the new owner as a retry', async () => {
    const { other, larder, move, write, sent } = await inDoubt();
    // Any call to the other node brings its view.
    move(other, 2);
    void larder.nodeStatistics().catch(() => {});
    expect(await write).toMatchObject({ copies: 2 });
    expect(await other.operations.take()).toMatchObject({ key: 'a', request: sent.request, isRetry: true, lost: 0 });
  });

  test('is not sent again if the partition has lost its copies meanwhile', async () => {
    const { other, move, write } = await inDoubt();
    const view = move(other, 2);
    other.view = { ...view, lost: LOST_ONCE };
    const error = await rejection(write);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown', retryable: true });
    expect(error.message).toContain('nobody can tell any more whether it was applied');
    expect(other.operations.length).toBe(0);
  });

  test('is not sent again to another cluster, which is taken up although its versions begin anew', async () => {
    const clock = stoppedClock();
    const { one, larder, cache, move } = await pair({ clock });
    await tell(one, larder, { ...move(one, 5), cluster: 'first' });
    clock.advance(1_000);
    one.script = hold;
    const write = cache.set('a', 'x', { timeout: '5s' });
    await one.operations.take();
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    one.kill();
    await degraded;
    one.view = { ...move(one, 1), cluster: 'second' };
    one.script = (operations) => one.behave(operations);
    await one.listen();
    const changed = new Promise<ClientView>((resolve) => larder.on('topology', resolve));
    clock.advance(200);
    expect(await changed).toMatchObject({ version: 1, cluster: 'second' });
    expect(await rejection(write)).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' });
    expect(one.operations.length).toBe(0);
    await cache.set('a', 'y');
    expect(await one.operations.take()).toMatchObject({ request: 2, isRetry: false });
  });

  test('is given up after ten seconds, also if its caller would wait longer; a read is not', async () => {
    const { clock, cache, write } = await inDoubt({ timeout: 60_000 });
    let isReadOver = false;
    const read = cache.get('b', { timeout: 60_000 }).finally(() => {
      isReadOver = true;
    });
    clock.advance(9_900);
    await settle();
    clock.advance(200);
    expect(await rejection(write)).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' });
    expect(isReadOver).toBe(false);
    clock.advance(50_000);
    expect(await rejection(read)).toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('that no node can tell the end of is not sent again', async () => {
    const { one, cache } = await pair();
    one.script = (operations) => {
      for (const operation of operations) {
        const details = { final: true };
        const error = new LarderError('UNAVAILABLE', 'nobody knows', { outcome: 'unknown', details });
        operation.session.failed(operation, error);
      }
    };
    expect(await rejection(cache.set('a', 'x'))).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown', node: 'n1' });
    expect(one.operations.length).toBe(1);
  });

  test('stays in doubt whatever a later try is told', async () => {
    const { clock, one, write } = await inDoubt();
    one.script = (operations) => {
      for (const operation of operations) {
        const error = new LarderError('ORIGIN', 'a constraint says no', { outcome: 'not-applied' });
        operation.session.failed(operation, error);
      }
    };
    await one.listen();
    clock.advance(100);
    expect(await rejection(write)).toMatchObject({ code: 'ORIGIN', outcome: 'unknown', node: 'n1' });
  });

  test('a write that the node itself is in doubt about is tried again as a retry', async () => {
    const clock = stoppedClock();
    const { one, cache } = await pair({ clock });
    first(one, 1, (operation) => {
      const error = new LarderError('UNAVAILABLE', 'the partition was lost with the write pending', {
        outcome: 'unknown',
      });
      operation.session.failed(operation, error);
    });
    const write = cache.set('a', 'x');
    await one.operations.take();
    await cache.get('marker');
    await one.operations.take();
    clock.advance(30);
    expect(await write).toMatchObject({ copies: 2 });
    expect(await one.operations.take()).toMatchObject({ request: 1, isRetry: true });
  });

  test('a first try names the lost count of its time, so that a retry does', async () => {
    const { one, other, larder, cache, move } = await pair({ clock: stoppedClock() });
    const before = { ...move(one, 2), lost: LOST_ONCE };
    await tell(one, larder, before);
    one.script = hold;
    const write = cache.set('a', 'x');
    await one.operations.take();
    other.view = { ...move(other, 3), lost: LOST_ONCE };
    one.kill();
    expect(await write).toMatchObject({ copies: 2 });
    expect(await other.operations.take()).toMatchObject({ isRetry: true, lost: 1 });
  });
});

describe('a node that was away for long and is named again', () => {
  /** The client has a session with the other node too, so that views reach it; the first is dead for ten seconds. */
  async function away() {
    const clock = stoppedClock();
    const { one, other, larder, cache, move } = await pair({ clock });
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    await tell(one, larder, move(other, 2));
    await cache.get('a');
    one.kill();
    await degraded;
    clock.advance(10_000);
    await settle();
    return { clock, one, other, larder, cache, move };
  }

  test('gets its calls although no attempt to connect has succeeded yet, and is tried at once', async () => {
    const { clock, one, other, larder, cache, move } = await away();
    for (let turn = 0; turn < 20; turn++) {
      clock.advance(3_000);
      await settle();
    }
    await one.listen();
    await tell(other, larder, move(one, 3));
    expect(await cache.set('a', 'x')).toMatchObject({ copies: 2 });
    expect(one.store.entries.size).toBe(1);
  });

  test('and cannot be reached all the same: calls wait for it until their deadline, five seconds long', async () => {
    const { clock, one, other, larder, cache, move } = await away();
    await tell(other, larder, move(one, 3));
    let isOver = false;
    const write = rejection(cache.set('a', 'x')).finally(() => {
      isOver = true;
    });
    clock.advance(980);
    await settle();
    expect(isOver).toBe(false);
    clock.advance(40);
    expect(await write).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-applied', node: 'n1' });
    clock.advance(4_000);
    expect(await rejection(cache.set('a', 'x'))).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-applied' });
  });
});

describe('a node that is frozen', () => {
  test('loses its calls to the new owner as soon as a view says so; its late answers are nobody’s', async () => {
    const clock = stoppedClock();
    const { one, other, larder, cache, move } = await pair({ clock });
    other.store.set('names/a', Buffer.from('here'), -1);
    one.script = hold;
    const [read, write] = [cache.get('a', { timeout: '5s' }), cache.set('b', 'x', { timeout: '5s' })];
    const [sentRead, sentWrite] = (await one.operations.takeMany(2)) as [SentOperation, SentOperation];
    const questions = other.viewQuestions;
    move(other, 2);
    clock.advance(1_000);
    expect(other.viewQuestions).toBe(questions);
    clock.advance(40);
    // Nothing but the question brings the view: there is no session with the other node.
    await new Promise((resolve) => larder.on('topology', resolve));
    clock.advance(20);
    expect(await read).toBe('here');
    expect(await write).toMatchObject({ copies: 2 });
    const again = await other.operations.takeMany(2);
    expect(again.map(({ key, request, isRetry }) => [key, request, isRetry])).toEqual([
      ['a', 0, false],
      ['b', sentWrite.request, true],
    ]);
    // Thawed, it answers. Neither answer reaches another call, and the session goes on.
    move(one, 3);
    await tell(other, larder, one.view);
    one.script = (operations) => one.behave(operations);
    const next = cache.set('c', 'y');
    const [third] = await one.operations.takeMany(1);
    expect([sentRead.id, sentWrite.id]).not.toContain(third?.id);
    sentRead.session.hit(sentRead, Buffer.from('late'));
    sentWrite.session.written(sentWrite);
    expect(await next).toMatchObject({ copies: 2 });
    expect(await cache.get('c')).toBe('y');
  });

  test('and dropped from the view has its connection closed', async () => {
    const clock = stoppedClock();
    const { one, other, larder, cache } = await pair({ clock });
    one.script = hold;
    const write = cache.set('a', 'x');
    const operation = await one.operations.take();
    const changed = new Promise((resolve) => larder.on('topology', resolve));
    operation.session.send((writer) => writer.view(viewOwnedBy(other, [other], 2)));
    await changed;
    expect(one.live.size).toBe(1);
    clock.advance(300);
    expect(await write).toMatchObject({ copies: 2 });
    await one.ends.take();
    expect(one.live.size).toBe(0);
  });

  test('a call that a node does not answer, although it speaks, is given a moment when its key has moved', async () => {
    const clock = stoppedClock();
    const { one, other, larder, cache, move } = await pair({ clock });
    first(one, 1, hold);
    const write = cache.set('a', 'x');
    await one.operations.take();
    clock.advance(600);
    await tell(one, larder, move(other, 2));
    clock.advance(240);
    await cache.get('b');
    expect(other.store.entries.size).toBe(0);
    clock.advance(40);
    expect(await write).toMatchObject({ copies: 2 });
    expect(other.store.entries.size).toBe(1);
  });

  test('large values are moved as well', async () => {
    const clock = stoppedClock();
    const { one, other, larder, move } = await pair({ clock });
    const cache = larder.cache('blobs', { codec: bytes() });
    const value = Buffer.alloc(150_000, 7);
    other.store.set('blobs/a', value, -1);
    one.store.set('blobs/a', value, -1);
    one.bulkScript = hold;
    const [read, write] = [cache.get('a'), cache.set('b', value)];
    await one.bulkRequests.takeMany(2);
    await tell(one, larder, move(other, 2));
    clock.advance(300);
    expect(value.equals((await read) as Buffer)).toBe(true);
    expect(await write).toMatchObject({ copies: 2 });
    // The first has never had it whole, so the second gets it for the first time.
    const begins = [];
    while (other.bulkRequests.length > 0) begins.push(await other.bulkRequests.take());
    expect(begins.find(({ valueBytes }) => valueBytes > 0)?.operation).toMatchObject({ request: 1, retry: false });
  });
});

test('a node that stays silent is no reason to hang: its calls end at their deadline', async () => {
  const clock = stoppedClock();
  const { one, other, cache } = await pair({ clock });
  one.script = hold;
  const questions = other.viewQuestions;
  const calls = [rejection(cache.get('a', { timeout: '3s' })), rejection(cache.set('a', 'x', { timeout: '3s' }))];
  await one.operations.takeMany(2);
  for (let elapsedMs = 0; elapsedMs < 3_020; elapsedMs += 20) {
    clock.advance(20);
    await settle();
  }
  expect(await calls[0]).toMatchObject({ code: 'TIMEOUT' });
  expect(await calls[1]).toMatchObject({ code: 'TIMEOUT', outcome: 'unknown' });
  while (other.viewQuestions === questions) await new Promise(setImmediate);
});
