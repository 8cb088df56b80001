import { LarderError, OperationKind, REQUEST_FRAME_BYTES_TARGET, SessionResponseWriter } from '@larder/proto';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Cache } from '../cache.js';
import { bytes } from '../codecs/bytes.js';
import { text } from '../codecs/text.js';
import { Larder } from '../larder.js';
import { type ConnectOptions, resolveConnectOptions } from '../options.js';
import { connectTo, startNode, stoppedClock } from './testing/connected.js';
import { rejection } from './testing/rejection.js';
import type { ScriptedNode } from './testing/scripted-node.js';
import { type SentOperation, writeHit } from './testing/scripted-session.js';

interface Connected {
  readonly node: ScriptedNode;
  readonly larder: Larder;
  readonly cache: Cache<string>;
}

async function connected(options: Partial<ConnectOptions> = {}): Promise<Connected> {
  const node = await startNode();
  const larder = await connectTo(node, options);
  return { node, larder, cache: larder.cache('names', { codec: text() }) };
}

/** With a session that is ready, and nothing in the mailboxes. */
async function ready(options: Partial<ConnectOptions> = {}): Promise<Connected> {
  const all = await connected(options);
  await all.cache.get('warm-up');
  await all.node.operations.take();
  await all.node.frames.takeMany(2);
  await all.node.sessions.take();
  return all;
}

const keys = (count: number): string[] => Array.from({ length: count }, (_, index) => `key-${index}`);
const hold = (): void => {};

describe('frames', () => {
  test('calls of one turn leave as one frame', async () => {
    const { node, cache } = await ready();
    await Promise.all(keys(50).map((key) => cache.get(key)));
    const frame = await node.frames.take();
    expect(frame.operations.map(({ key }) => key)).toEqual(keys(50));
    expect(node.frames.length).toBe(0);
  });

  test('a frame ends when it has reached its target size, and order is kept', async () => {
    const { node, cache } = await ready();
    const value = 'x'.repeat(1000);
    await Promise.all(keys(100).map((key) => cache.set(key, value)));
    const frames = await node.frames.takeMany(6);
    expect(frames.flatMap(({ operations }) => operations.map(({ key }) => key))).toEqual(keys(100));
    for (const { bytes } of frames.slice(0, -1)) {
      expect(bytes).toBeGreaterThanOrEqual(REQUEST_FRAME_BYTES_TARGET);
      expect(bytes).toBeLessThan(REQUEST_FRAME_BYTES_TARGET + 1100);
    }
  });

  test('a cache is opened once on each session, by the frame that first names it', async () => {
    const { node, larder } = await ready();
    const other = larder.cache('others', { codec: text() });
    await Promise.all([other.get('a'), other.get('b')]);
    await other.get('c');
    const [session] = node.live;
    expect([...(session?.caches ?? [])]).toEqual([
      [0, 'names'],
      [1, 'others'],
    ]);
  });

  test('of a frame of replies a slice is resolved, and the calls of those callers leave before the rest', async () => {
    const { node, cache } = await ready();
    const held: SentOperation[] = [];
    node.script = (operations) => void held.push(...operations);
    const callers = keys(512).map(async (key) => {
      await cache.get(key);
      await cache.get(`${key}-again`);
    });
    await node.operations.takeMany(512);
    while (node.frames.length > 0) await node.frames.take();
    node.script = (operations) => node.behave(operations);
    held[0]?.session.send((writer) => {
      for (const operation of held) writer.miss(operation.id);
    });
    await Promise.all(callers);
    const frames = await node.frames.takeMany(4);
    expect(frames.map(({ operations }) => operations.length)).toEqual([128, 128, 128, 128]);
  });

  test('100,000 calls of one turn, more than a session has slots, are all answered', async () => {
    const { node, cache } = await ready();
    await cache.set('key-7', 'seven');
    let inFlightMax = 0;
    let inFlight = 0;
    node.script = (operations) => {
      inFlight += operations.length;
      inFlightMax = Math.max(inFlightMax, inFlight);
      setImmediate(() => {
        inFlight -= operations.length;
        node.behave(operations);
      });
    };
    const values = await Promise.all(keys(100_000).map((key) => cache.get(key)));
    expect(values.filter((value) => value !== undefined)).toEqual(['seven']);
    expect(values[7]).toBe('seven');
    expect(inFlightMax).toBeLessThanOrEqual(65_536);
  });

  test('calls on the same key are done in the order in which they were made, also when some had to wait', async () => {
    const { node, cache } = await connected();
    const writes = Array.from({ length: 5_000 }, (_, index) => cache.set('counter', String(index)));
    const read = cache.get('counter');
    await Promise.all(writes);
    expect(await read).toBe('4999');
    const sent = await node.operations.takeMany(5_001);
    expect(sent.slice(0, -1).map(({ value }) => String(value))).toEqual(writes.map((_, index) => String(index)));
  });
});

describe('before the node has answered hello', () => {
  test('nothing but hello is sent', async () => {
    const { node, cache } = await connected({ name: 'shop', timeout: 700 });
    node.greets = false;
    const call = cache.get('a');
    const session = await node.sessions.take();
    expect(await node.frames.take()).toMatchObject({ operations: [] });
    expect(session.hello).toEqual({ protocol: 1, name: 'shop', timeoutMs: 700, clientId: expect.any(Number) });
    expect(node.operations.length).toBe(0);
    session.greet();
    expect(await call).toBeUndefined();
  });

  test('calls time out there, and a write is then certain not to have been applied', async () => {
    const clock = stoppedClock();
    const { node, cache } = await connected({ clock });
    node.greets = false;
    const [read, write] = [cache.get('a'), cache.set('a', 'x')];
    const short = cache.set('b', 'x', { timeout: 100 });
    await node.frames.take();
    clock.advance(120);
    expect(await rejection(short)).toMatchObject({ code: 'TIMEOUT', outcome: 'not-applied', node: 'n1' });
    clock.advance(900);
    expect(await rejection(read)).toMatchObject({ code: 'TIMEOUT', outcome: undefined });
    expect((await rejection(write)).message).toBe('TIMEOUT: node n1 could not take the call within 1000 ms');
    const [session] = node.live;
    session?.greet();
    await cache.get('c');
    expect((await node.operations.take()).key).toBe('c');
  });

  test('an aborted write is never sent', async () => {
    const { node, cache } = await connected();
    node.greets = false;
    const abort = new AbortController();
    const write = cache.set('a', 'x', { signal: abort.signal });
    const session = await node.sessions.take();
    abort.abort();
    expect(await rejection(write)).toMatchObject({ code: 'ABORTED', outcome: 'not-applied' });
    session.greet();
    await cache.get('b');
    expect((await node.operations.take()).key).toBe('b');
  });

  test('a node that does not come to speak is given up after five seconds, and tried again', async () => {
    const clock = stoppedClock();
    const { node, larder, cache } = await connected({ clock, timeout: '20s' });
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    node.greets = false;
    const [read, write] = [cache.get('a'), cache.set('a', 'x')];
    await node.sessions.take();
    clock.advance(5_000);
    expect(await degraded).toMatchObject({ node: 'n1', error: { code: 'UNAVAILABLE' } });
    node.greets = true;
    clock.advance(100);
    expect(await read).toBeUndefined();
    expect(await write).toMatchObject({ copies: 2 });
  });

  test('a session that the node refuses as incompatible fails its calls as such, at once', async () => {
    const { node, cache } = await connected();
    node.greets = false;
    const [read, write] = [cache.get('a'), cache.set('a', 'x')];
    (await node.sessions.take()).refuse(new LarderError('INCOMPATIBLE', 'hello.protocol is 1; this node speaks 2'));
    expect(await rejection(read)).toMatchObject({ code: 'INCOMPATIBLE', retryable: false });
    const error = await rejection(write);
    expect(error).toMatchObject({ code: 'INCOMPATIBLE', outcome: 'not-applied', node: 'n1' });
    expect(error.message).toContain('hello.protocol is 1; this node speaks 2');
  });

  test('values that wait for a node are bounded', async () => {
    const { node, larder } = await connected();
    node.greets = false;
    const cache = larder.cache('blobs', { codec: bytes() });
    const value = Buffer.alloc(64 * 1024);
    const writes = Array.from({ length: 4096 }, (_, index) => cache.set(`key-${index}`, value));
    const error = await rejection(cache.set('one-more', value));
    expect(error).toMatchObject({ code: 'BUSY', outcome: 'not-applied', node: 'n1', retryable: true });
    expect(error.message).toBe('BUSY: more than 268435456 bytes of values are waiting for node n1');
    larder.destroy();
    for (const write of writes)
      expect(await rejection(write)).toMatchObject({ code: 'CLOSED', outcome: 'not-applied' });
  });
});

test('values that were answered for do not count any more, those that were given up do until then', async () => {
  const node = await startNode();
  const options = resolveConnectOptions({ endpoints: node.address, timeout: '30s' });
  const larder = new Larder(node.view, { ...options, pendingBytesMax: 300_000 });
  onTestFinished(() => larder.destroy());
  const cache = larder.cache('blobs', { codec: bytes() });
  const [small, large] = [Buffer.alloc(60_000), Buffer.alloc(290_000)];
  for (let turn = 0; turn < 8; turn++) {
    await cache.set('a', small);
    await cache.set('b', large);
  }
  node.script = hold;
  node.bulkScript = () => {};
  const abort = new AbortController();
  const { signal } = abort;
  const transfer = rejection(cache.set('d', large, { signal }));
  expect(await rejection(cache.set('e', large))).toMatchObject({ code: 'BUSY', outcome: 'not-applied' });
  const writes = [1, 2, 3, 4, 5].map((key) => rejection(cache.set(key, small, { signal })));
  expect(await rejection(cache.set('c', small))).toMatchObject({ code: 'BUSY', outcome: 'not-applied', node: 'n1' });
  abort.abort();
  for (const error of await Promise.all([...writes, transfer])) expect(error.code).toBe('ABORTED');
  expect(await rejection(cache.set('c', small))).toMatchObject({ code: 'BUSY' });
});

describe('timeouts', () => {
  test('a call fails when its time is up, a write as unknown; the late answer reaches nobody', async () => {
    const clock = stoppedClock();
    const { node, cache } = await ready({ clock });
    node.script = hold;
    const [read, write] = [cache.get('a', { timeout: 300 }), cache.set('a', 'x', { timeout: 300 })];
    const [get, set] = (await node.operations.takeMany(2)) as [SentOperation, SentOperation];
    clock.advance(320);
    expect((await rejection(read)).message).toBe('TIMEOUT: node n1 did not answer within 300 ms');
    expect(await rejection(write)).toMatchObject({ code: 'TIMEOUT', outcome: 'unknown', node: 'n1', retryable: true });

    // Their slots are not given to other calls before the node has answered.
    const next = cache.get('b');
    const [other] = await node.operations.takeMany(1);
    expect([get.id, set.id]).not.toContain(other?.id);
    get.session.hit(get, Buffer.from('late'));
    get.session.written(set);
    get.session.hit(other as SentOperation, Buffer.from('mine'));
    expect(await next).toBe('mine');
    const reused = cache.get('c');
    const [third] = await node.operations.takeMany(1);
    expect([get.id, set.id, other?.id]).toContain(third?.id);
    get.session.miss(third as SentOperation);
    await reused;
  });

  test('the default is the client’s', async () => {
    const clock = stoppedClock();
    const { node, cache } = await ready({ clock, timeout: '3s' });
    node.script = hold;
    const call = cache.get('a');
    await node.operations.take();
    clock.advance(2_980);
    clock.advance(40);
    expect((await rejection(call)).message).toBe('TIMEOUT: node n1 did not answer within 3000 ms');
  });

  test('a call with a short time is not held up by an earlier one with a long time', async () => {
    const clock = stoppedClock();
    const { node, cache } = await ready({ clock });
    node.script = hold;
    const long = cache.get('a', { timeout: '4s' });
    const short = cache.get('b', { timeout: 50 });
    const [first] = (await node.operations.takeMany(2)) as [SentOperation];
    clock.advance(80);
    expect(await rejection(short)).toMatchObject({ code: 'TIMEOUT' });
    first.session.hit(first, Buffer.from('in time'));
    expect(await long).toBe('in time');
  });
});

describe('abort', () => {
  test('an aborted signal fails the call before it is sent, with the reason as the cause', async () => {
    const { node, cache } = await ready();
    const reason = new Error('the user left');
    const error = await rejection(cache.set('a', 'x', { signal: AbortSignal.abort(reason) }));
    expect(error).toMatchObject({ code: 'ABORTED', outcome: 'not-applied', cause: reason });
    expect(node.operations.length).toBe(0);
  });

  test('a write that is under way is of unknown fate; a signal is left alone when the call is over', async () => {
    const { node, cache } = await ready();
    const abort = new AbortController();
    let listeners = 0;
    const { signal } = abort;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    await cache.set('a', 'x', { signal });
    expect(listeners).toBe(0);
    await node.operations.take();
    node.script = hold;
    const [read, write] = [cache.get('a', { signal }), cache.set('a', 'y', { signal })];
    await node.operations.takeMany(2);
    abort.abort();
    expect(await rejection(read)).toMatchObject({ code: 'ABORTED', outcome: undefined });
    expect(await rejection(write)).toMatchObject({ code: 'ABORTED', outcome: 'unknown' });
    expect(listeners).toBe(0);
  });

  test('a write that stands in a frame which has not left yet will still leave: unknown', async () => {
    const { node, cache } = await ready();
    const abort = new AbortController();
    const write = cache.set('a', 'x', { signal: abort.signal });
    abort.abort();
    expect(await rejection(write)).toMatchObject({ code: 'ABORTED', outcome: 'unknown' });
    expect(await node.operations.take()).toMatchObject({ kind: OperationKind.set, key: 'a' });
  });
});

describe('a connection that breaks', () => {
  test('what was under way is sent again when the node is back, the write under the same number', async () => {
    const { node, larder, cache } = await ready();
    const events: string[] = [];
    larder.on('degraded', ({ node: id, error }) => events.push(`degraded ${id} ${error.code}`));
    larder.on('recovered', ({ node: id }) => events.push(`recovered ${id}`));
    await cache.set('a', 'kept');
    await node.operations.take();
    node.script = hold;
    const [read, write] = [cache.get('a'), cache.set('b', 'x')];
    const [firstRead, firstWrite] = (await node.operations.takeMany(2)) as [SentOperation, SentOperation];
    node.kill();
    node.script = (operations) => node.behave(operations);
    await node.listen();
    expect(await read).toBe('kept');
    expect(await write).toMatchObject({ copies: 2 });
    const [secondRead, secondWrite] = (await node.operations.takeMany(2)) as [SentOperation, SentOperation];
    expect([firstRead.timeoutMs, firstRead.request, secondRead.request, secondRead.isRetry]).toEqual([0, 0, 0, false]);
    expect(secondRead.timeoutMs).toBeLessThan(30_000);
    expect([firstWrite.isRetry, secondWrite.isRetry, secondWrite.request]).toEqual([false, true, firstWrite.request]);
    expect(events).toEqual(['degraded n1 UNAVAILABLE', 'recovered n1']);
  });

  test('a call under which five connections break fails; a write of which they may have taken a try is in doubt', async () => {
    const { node, cache } = await ready();
    node.script = ([operation]) => operation?.session.refuse(new LarderError('UNAVAILABLE', 'going down'));
    const error = await rejection(cache.set('a', 'x'));
    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'unknown',
      node: 'n1',
      cause: { reason: 'going down' },
    });
    expect(node.operations.length).toBe(5);
  });

  test('calls wait for a node that is away until their deadline; then a write is certain not to have been applied', async () => {
    const clock = stoppedClock();
    const { node, larder, cache } = await ready({ clock });
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    node.kill();
    await degraded;
    const ends: string[] = [];
    const note = (name: string) => (error: LarderError) => void ends.push(`${name} ${error.code} ${error.outcome}`);
    const calls = [
      cache.get('a', { timeout: 400 }).catch(note('read')),
      cache.set('a', 'x', { timeout: 600 }).catch(note('write')),
    ];
    clock.advance(380);
    await new Promise(setImmediate);
    expect(ends).toEqual([]);
    clock.advance(40);
    await calls[0];
    expect(ends).toEqual(['read UNAVAILABLE undefined']);
    clock.advance(200);
    await calls[1];
    expect(ends[1]).toBe('write UNAVAILABLE not-applied');
  });

  test('a write that was under way when the node went away for good ends at its deadline, in doubt', async () => {
    const clock = stoppedClock();
    const { node, larder, cache } = await ready({ clock });
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    node.script = hold;
    const write = rejection(cache.set('a', 'x'));
    await node.operations.take();
    node.kill();
    await degraded;
    clock.advance(1_000);
    clock.advance(20);
    expect(await write).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown', node: 'n1', retryable: true });
  });

  test('after five seconds without the node calls fail at once, but for those that would wait for longer', async () => {
    const clock = stoppedClock();
    const { node, larder, cache } = await ready({ clock });
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    const recovered = new Promise((resolve) => larder.on('recovered', resolve));
    node.kill();
    await degraded;
    const early = cache.set('a', 'x', { timeout: '30s' });
    clock.advance(5_000);
    const late = cache.set('b', 'x', { timeout: '30s' });
    expect(await rejection(cache.get('c'))).toMatchObject({ code: 'UNAVAILABLE' });
    expect(await rejection(cache.set('c', 'x'))).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-applied' });
    await node.listen();
    clock.advance(3_000);
    await recovered;
    expect(await Promise.all([early, late])).toMatchObject([{ copies: 2 }, { copies: 2 }]);
    await cache.set('c', 'x');
  });

  test('writes of one key are sent again in the order in which they were made, before those that waited', async () => {
    const { node, larder, cache } = await ready();
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    node.script = hold;
    // The order of the slots is that of the answers, not that of the calls.
    const first = keys(40).map((value) => cache.set('a', value));
    const sent = await node.operations.takeMany(40);
    sent[7]?.session.send((writer) => {
      for (const { id } of [...sent].reverse().slice(0, 20)) writer.written(id, 1, 1, 1);
    });
    await Promise.all(first.slice(20));
    const second = keys(20).map((value) => cache.set('a', `again-${value}`));
    await node.operations.takeMany(20);
    node.kill();
    await degraded;
    const last = cache.set('a', 'last');
    node.script = (operations) => node.behave(operations);
    await node.listen();
    await Promise.all([...first, ...second, last]);
    const again = await node.operations.takeMany(41);
    const expected = [...keys(20), ...keys(20).map((value) => `again-${value}`), 'last'];
    expect(again.map(({ value }) => String(value))).toEqual(expected);
    expect(again.map(({ isRetry }) => isRetry)).toEqual([...Array(40).fill(true), false]);
  });

  test('an idle client finds the node again by itself', async () => {
    const { node, larder, cache } = await ready();
    const recovered = new Promise((resolve) => larder.on('recovered', resolve));
    node.kill();
    await node.listen();
    expect(await recovered).toEqual({ node: 'n1' });
    await cache.set('a', 'x');
  });

  test('answers that came before the end are not lost with it', async () => {
    const { node, cache } = await ready();
    const held: SentOperation[] = [];
    node.script = (operations) => {
      held.push(...operations);
      if (held.length < 1_000) return;
      const { session } = operations[0] as SentOperation;
      session.send((writer) => {
        for (const { id } of held) writer.written(id, 1, id, 1);
      });
      session.end();
    };
    const written = await Promise.all(keys(1_000).map((key) => cache.set(key, 'x')));
    expect(written).toHaveLength(1_000);
  });
});

describe('a node that does not keep to the protocol', () => {
  const wrongs: [string, (operation: SentOperation) => void][] = [
    ['bytes that are no frame', ({ session }) => session.sendBytes(Buffer.from([0x0a, 0xff, 0xff, 0xff]))],
    ['an answer to a call that was never made', ({ session }) => session.send((writer) => writer.miss(4_711))],
    ['an id beyond all slots', ({ session }) => session.send((writer) => writer.miss(0xffffffff))],
    [
      'a view that cannot be',
      ({ session }) => session.send((writer) => writer.view({ version: 9, nodes: [], owners: new Uint16Array(1024) })),
    ],
    [
      'a view with an address that is none',
      ({ session }) =>
        session.send((writer) =>
          writer.view({ version: 9, nodes: [{ id: 'x', address: 'nowhere' }], owners: new Uint16Array(1024) }),
        ),
    ],
    [
      'the same answer twice',
      (operation) =>
        operation.session.send((writer) => {
          writer.written(operation.id, 1, 1, 1);
          writer.written(operation.id, 1, 1, 1);
        }),
    ],
  ];

  test.each(wrongs)('%s: the session is given up, the next one works', async (_what, answer) => {
    const { node, larder, cache } = await ready();
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    const recovered = new Promise((resolve) => larder.on('recovered', resolve));
    node.script = ([operation]) => answer(operation as SentOperation);
    const write = cache.set('a', 'x').then(
      () => undefined,
      (error) => error,
    );
    expect(await degraded).toMatchObject({ error: { code: 'INTERNAL', node: 'n1' } });
    const error = await write;
    if (error !== undefined) expect(error).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' });
    node.script = (operations) => node.behave(operations);
    await recovered;
    await cache.set('b', 'works');
    expect(await cache.get('b')).toBe('works');
  });

  test('one whose view cannot be used is tried again and again, and never taken for recovered', async () => {
    const { node, larder, cache } = await ready();
    const events: string[] = [];
    larder.on('degraded', ({ error }) => events.push(error.code));
    const recovered = new Promise((resolve) => larder.on('recovered', resolve));
    larder.on('recovered', () => events.push('recovered'));
    const good = node.view;
    node.view = { ...good, version: 2, nodes: [...good.nodes, ...good.nodes] };
    for (const session of node.live) session.end();
    await node.sessions.takeMany(3);
    expect(events).toEqual(['UNAVAILABLE']);
    expect(await rejection(cache.set('a', 'x'))).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-applied' });
    node.view = good;
    await recovered;
    expect(events).toEqual(['UNAVAILABLE', 'recovered']);
    expect(await cache.get('a')).toBeUndefined();
  });

  test('a large value announced for a call that has none is no transfer', async () => {
    const { node, cache } = await ready();
    node.script = ([operation]) =>
      operation?.session.send((writer) => writer.bulk((operation as SentOperation).id, 100_000, 1, 1, -1));
    expect(await cache.delete('a')).toBe(false);
    expect(node.bulkRequests.length).toBe(0);
  });

  test('answers in any order reach their callers', async () => {
    const { node, cache } = await ready();
    const held: SentOperation[] = [];
    node.script = (operations) => {
      held.push(...operations);
      if (held.length < 300) return;
      held.reverse();
      for (const part of [held.slice(0, 7), held.slice(7, 8), held.slice(8)]) {
        operations[0]?.session.send((writer) => {
          for (const { id, key } of part) writeHit(writer, id, Buffer.from(`value of ${key}`));
        });
      }
    };
    const values = await Promise.all(keys(300).map((key) => cache.get(key)));
    expect(values).toEqual(keys(300).map((key) => `value of ${key}`));
  });

  test('fields that it does not know are passed over', async () => {
    const { node, cache } = await ready();
    node.script = ([operation]) => {
      const writer = new SessionResponseWriter(64);
      writeHit(writer, (operation as SentOperation).id, Buffer.from('known'));
      operation?.session.sendBytes(Buffer.concat([Buffer.from([0xf8, 0x01, 0x05]), writer.take()]));
    };
    expect(await cache.get('a')).toBe('known');
  });
});

describe('a silent node', () => {
  test('is given up when answers are overdue and it has said nothing for five seconds', async () => {
    const clock = stoppedClock();
    const { node, larder, cache } = await ready({ clock });
    node.script = hold;
    const degraded = new Promise((resolve) => larder.on('degraded', resolve));
    const call = cache.get('a');
    await node.operations.take();
    clock.advance(1_020);
    expect(await rejection(call)).toMatchObject({ code: 'TIMEOUT' });
    clock.advance(5_000);
    expect((await degraded) as object).toMatchObject({ error: { code: 'UNAVAILABLE' } });
    node.script = (operations) => node.behave(operations);
    const next = cache.get('b');
    clock.advance(100);
    expect(await next).toBeUndefined();
    expect(node.sessions.length).toBe(1);
  });

  test('is not given up while a call may take longer', async () => {
    const clock = stoppedClock();
    const { node, cache } = await ready({ clock });
    node.script = hold;
    const call = cache.get('a', { timeout: '30s' });
    const operation = await node.operations.take();
    clock.advance(20_000);
    operation.session.hit(operation, Buffer.from('from a slow database'));
    expect(await call).toBe('from a slow database');
  });

  test('is not given up because it is late now and then', async () => {
    const clock = stoppedClock();
    const { node, cache } = await ready({ clock });
    node.script = (operations) => node.behave(operations.filter(({ key }) => key !== 'never'));
    const never = rejection(cache.get('never'));
    for (let second = 0; second < 8; second++) {
      clock.advance(1_000);
      await cache.get('often', { timeout: '1m' });
    }
    expect(await never).toMatchObject({ code: 'TIMEOUT' });
    expect(node.sessions.length).toBe(0);
  });
});

test('failures that the node tells keep their code, outcome and message; other calls go on', async () => {
  const { node, cache } = await ready();
  node.script = (operations) => {
    for (const operation of operations) {
      const { session, key } = operation;
      if (key === 'a')
        session.failed(
          operation,
          new LarderError('UNKNOWN_CACHE', 'no cache names; there are: cities', { outcome: 'not-applied' }),
        );
      else if (key === 'b') session.failed(operation, new LarderError('ORIGIN_UNAVAILABLE', 'database is down'));
      else node.behave([operation]);
    }
  };
  const [a, b, c] = [rejection(cache.set('a', 'x')), rejection(cache.set('b', 'x')), cache.set('c', 'x')];
  expect(await a).toMatchObject({ code: 'UNKNOWN_CACHE', outcome: 'not-applied', node: 'n1', retryable: false });
  expect((await a).message).toBe('UNKNOWN_CACHE: no cache names; there are: cities');
  // It did not say, so nobody knows.
  expect(await b).toMatchObject({ code: 'ORIGIN_UNAVAILABLE', outcome: 'unknown', retryable: true });
  expect(await rejection(cache.get('b'))).toMatchObject({ code: 'ORIGIN_UNAVAILABLE', outcome: undefined });
  expect(await c).toMatchObject({ copies: 2 });
});
