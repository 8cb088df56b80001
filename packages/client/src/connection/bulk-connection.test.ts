import { Acknowledgement, BULK_CHUNK_BYTES, errorToFailure, LarderError, SESSION_VALUE_BYTES_MAX } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import type { Cache } from '../cache.js';
import { bytes } from '../codecs/bytes.js';
import { text } from '../codecs/text.js';
import type { Larder } from '../larder.js';
import type { ConnectOptions } from '../options.js';
import { connectTo, startNode, stoppedClock } from './testing/connected.js';
import { rejection } from './testing/rejection.js';
import type { ScriptedNode } from './testing/scripted-node.js';

interface Connected {
  readonly node: ScriptedNode;
  readonly larder: Larder;
  readonly cache: Cache<Buffer>;
}

async function connected(options: Partial<ConnectOptions> = {}): Promise<Connected> {
  const node = await startNode();
  const larder = await connectTo(node, options);
  const cache = larder.cache('blobs', { codec: bytes() });
  await cache.get('warm-up');
  return { node, larder, cache };
}

/** Not the same byte twice in a row, so that a chunk in the wrong place shows. */
function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff));
}

const LARGE = 3 * BULK_CHUNK_BYTES + 5;
/** Two chunks, the second of one byte. */
const SMALLEST = BULK_CHUNK_BYTES + 1;

describe('large values', () => {
  test.each([
    ['the largest of the session', SESSION_VALUE_BYTES_MAX, 0],
    ['one byte more', SESSION_VALUE_BYTES_MAX + 1, 2],
    ['whole chunks', 2 * BULK_CHUNK_BYTES, 2],
    ['chunks and a rest', LARGE, 4],
  ])('%s: %d bytes are the same after set and get', async (_what, length, steps) => {
    const { node, cache } = await connected();
    const value = pattern(length);
    expect(await cache.set('a', value)).toMatchObject({ copies: 2, version: (7n << 53n) | 1n });
    expect(value.equals((await cache.get('a')) as Buffer)).toBe(true);
    expect(await cache.entry('a')).toMatchObject({ value, version: (7n << 53n) | 1n, ttl: null, owner: 'n1' });
    expect(node.bulkRequests.length).toBe(steps * 3);
  });

  test('they carry cache, key, life and what is left of the waiting time', async () => {
    const { node, cache } = await connected();
    await cache.set('größe', pattern(LARGE), { ttl: '1m', timeout: '5s' });
    const request = await node.bulkRequests.take();
    expect(request).toMatchObject({ cacheName: 'blobs', valueBytes: LARGE, operation: { kind: 2, ttlMs: 60_000 } });
    expect(request.operation?.key.toString()).toBe('größe');
    expect(request.operation?.timeoutMs).toBeGreaterThan(3_000);
    expect(request.operation?.timeoutMs).toBeLessThanOrEqual(5_000);
    expect(await cache.ttl('größe')).toBe(60_000);
  });

  test('many at once are sixteen transfers at a time, and small calls go on beside them', async () => {
    const { node, cache } = await connected();
    const open = new Set<number>();
    let openMax = 0;
    node.bulkScript = (request, bulk) => {
      open.add(request.transfer);
      openMax = Math.max(openMax, open.size);
      if (request.operation === null && request.chunk.length < BULK_CHUNK_BYTES) open.delete(request.transfer);
      bulk.answer(request);
    };
    const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
    const writes = cache.setMany(keys.map((key) => [key, pattern(LARGE)] as const));
    await cache.set('small', Buffer.from('x'));
    await writes;
    expect(openMax).toBe(16);
    expect((await cache.getMany(keys)).size).toBe(40);
  });

  test('an empty value may take the place of a large one before it is fetched', async () => {
    const { node, cache } = await connected();
    await cache.set('a', pattern(LARGE));
    node.bulkScript = ({ transfer }, bulk) => bulk.stream.write({ transfer, valueBytes: 0, chunk: Buffer.alloc(0) });
    expect(await cache.get('a')).toEqual(Buffer.alloc(0));
  });

  test('it may also be gone by then', async () => {
    const { node, cache } = await connected();
    await cache.set('a', pattern(LARGE));
    node.bulkScript = ({ transfer }, bulk) => bulk.stream.write({ transfer, reply: {} });
    expect(await cache.get('a')).toBeUndefined();
    expect(await cache.entry('a')).toBeUndefined();
  });

  test('what comes with the first chunk is newer than what the session said', async () => {
    const { node, cache } = await connected();
    await cache.set('a', pattern(LARGE));
    const value = pattern(BULK_CHUNK_BYTES);
    node.bulkScript = ({ transfer }, bulk) =>
      bulk.stream.write({
        transfer,
        valueBytes: value.length,
        chunk: value,
        reply: { epoch: 9, seq: 4, ttlMs: 250, found: true, stale: true },
      });
    const entry = await cache.entry('a');
    expect(entry).toMatchObject({ version: (9n << 53n) | 4n, ttl: 250, stale: true });
    expect(value.equals(entry?.value as Buffer)).toBe(true);
  });

  test('text is decoded from the whole of it', async () => {
    const { larder } = await connected();
    const cache = larder.cache('texts', { codec: text() });
    const value = 'größer '.repeat(20_000);
    await cache.set('a', value);
    expect(await cache.get('a')).toBe(value);
  });
});

describe('a transfer that fails', () => {
  test('the node’s failure reaches the caller', async () => {
    const { node, cache } = await connected();
    node.valueBytesMax = LARGE - 1;
    const error = await rejection(cache.set('a', pattern(LARGE)));
    expect(error).toMatchObject({ code: 'TOO_LARGE', outcome: 'not-applied', node: 'n1' });
  });

  test('a write that was given up before its last chunk left is certain not to have been applied', async () => {
    const { node, cache } = await connected();
    const abort = new AbortController();
    node.bulkScript = () => {};
    const write = cache.set('a', pattern(LARGE), { signal: abort.signal });
    const first = await node.bulkRequests.take();
    abort.abort();
    expect(await rejection(write)).toMatchObject({ code: 'ABORTED', outcome: 'not-applied' });
    // It asks for more before it has heard: what comes is the end, and no chunk.
    first.stream.write({ transfer: first.transfer });
    expect(await node.bulkRequests.take()).toMatchObject({
      transfer: first.transfer,
      cancel: true,
      chunk: Buffer.alloc(0),
    });
  });

  test('a write whose last chunk has left is of unknown fate', async () => {
    const clock = stoppedClock();
    const { node, cache } = await connected({ clock });
    node.bulkScript = (request, bulk) => {
      if (request.operation) bulk.answer(request);
    };
    const write = cache.set('a', pattern(BULK_CHUNK_BYTES + 1), { timeout: 500 });
    await node.bulkRequests.takeMany(2);
    clock.advance(520);
    expect(await rejection(write)).toMatchObject({ code: 'TIMEOUT', outcome: 'unknown', node: 'n1' });
    expect(await node.bulkRequests.take()).toMatchObject({ cancel: true });
  });

  test('calls that wait for their turn time out too', async () => {
    const clock = stoppedClock();
    const { node, cache } = await connected({ clock });
    node.bulkScript = () => {};
    const value = pattern(LARGE);
    const stuck = Array.from({ length: 16 }, (_, index) => cache.set(`stuck-${index}`, value, { timeout: '5s' }));
    const waiting = cache.set('waiting', value, { timeout: 300 });
    await node.bulkRequests.takeMany(16);
    clock.advance(320);
    expect(await rejection(waiting)).toMatchObject({ code: 'TIMEOUT', outcome: 'not-applied' });
    clock.advance(4_720);
    for (const write of stuck)
      expect(await rejection(write)).toMatchObject({ code: 'TIMEOUT', outcome: 'not-applied' });
  });

  test('when the connection breaks both are made again; a write that had not been sent whole is no retry', async () => {
    const { node, cache } = await connected();
    await cache.set('a', pattern(LARGE));
    await node.bulkRequests.takeMany(Math.ceil(LARGE / BULK_CHUNK_BYTES));
    node.bulkScript = () => {};
    const [read, write] = [cache.get('a'), cache.set('b', pattern(LARGE))];
    const [request] = await node.bulkRequests.takeMany(2);
    node.bulkScript = (again, bulk) => bulk.answer(again);
    request?.stream.end();
    expect(await write).toMatchObject({ copies: 2 });
    expect(pattern(LARGE).equals((await read) as Buffer)).toBe(true);
    const begins = (await node.bulkRequests.takeMany(2)).map(({ operation }) => operation?.retry);
    expect(begins).toEqual([false, false]);
  });

  test('streams that end before the node has said a word count against no call', async () => {
    const clock = stoppedClock();
    const { node, cache } = await connected({ clock });
    let ends = 0;
    node.bulkScript = (request, bulk) => {
      if (ends++ < 8) bulk.stream.end();
      else bulk.answer(request);
    };
    let isOver = false;
    const write = cache.set('a', pattern(LARGE), { timeout: '10m' }).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      clock.advance(10);
      await new Promise(setImmediate);
    }
    expect(await write).toMatchObject({ copies: 2 });
    expect(ends).toBeGreaterThan(8);
  });

  test('a write of which the last chunk had left is sent again as a retry, under its number', async () => {
    const { node, cache } = await connected();
    node.bulkScript = (request, bulk) => {
      const received = request.chunk.length + (request.operation ? 0 : BULK_CHUNK_BYTES);
      if (received < SMALLEST) bulk.answer(request);
      else bulk.stream.end();
    };
    const write = cache.set('a', pattern(SMALLEST), { ack: 'owner' });
    const [begin] = await node.bulkRequests.takeMany(2);
    node.bulkScript = (request, bulk) => bulk.answer(request);
    await write;
    const again = await node.bulkRequests.take();
    expect(begin?.operation).toMatchObject({ request: 1, retry: false, lost: 0, ack: Acknowledgement.owner });
    expect(again.operation).toMatchObject({ request: 1, retry: true, lost: 0, ack: Acknowledgement.owner });
    expect(again).toMatchObject({ clientId: begin?.clientId, settledBelow: 1 });
    expect(begin?.clientId).toBeGreaterThan(0);
  });
});

describe('a node that does not keep to the protocol', () => {
  const wrongs: [string, (transfer: number) => object][] = [
    [
      'announces more bytes than there can be',
      (transfer) => ({ transfer, valueBytes: 2 ** 60, chunk: Buffer.alloc(5) }),
    ],
    ['sends a longer chunk than it announced', (transfer) => ({ transfer, valueBytes: 4, chunk: Buffer.alloc(5) })],
    ['sends nothing although there is more', (transfer) => ({ transfer, valueBytes: 5, chunk: Buffer.alloc(0) })],
  ];

  test.each(wrongs)('it %s: the read fails, the process lives', async (_what, answer) => {
    const { node, cache } = await connected();
    await cache.set('a', pattern(LARGE));
    node.bulkScript = ({ transfer }, bulk) => bulk.stream.write(answer(transfer));
    const error = await rejection(cache.get('a'));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', node: 'n1', cause: { code: 'INTERNAL' } });
    expect(error.message).toContain('node n1 does not keep to the protocol of Bulk');
  });

  test('it asks for more of a value than there is: the write is of unknown fate', async () => {
    const { node, cache } = await connected();
    node.bulkScript = ({ transfer }, bulk) => bulk.stream.write({ transfer });
    const error = await rejection(cache.set('a', pattern(LARGE)));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' });
    expect(error.message).toContain(`it asks for more than the ${LARGE} bytes of the value`);
  });

  test('it answers transfers that are not there: they are passed over', async () => {
    const { node, cache } = await connected();
    node.bulkScript = (request, bulk) => {
      bulk.stream.write({ transfer: 4711, reply: { failure: errorToFailure(new LarderError('BUSY', 'no')) } });
      bulk.answer(request);
    };
    expect(await cache.set('a', pattern(LARGE))).toMatchObject({ copies: 2 });
  });
});

test('close waits for a transfer, destroy ends it', async () => {
  const { node, larder, cache } = await connected();
  const write = cache.set('a', pattern(LARGE));
  await larder.close();
  expect(await write).toMatchObject({ copies: 2 });

  const second = await connectTo(node);
  const other = second.cache('blobs', { codec: bytes() });
  await other.get('warm-up');
  node.bulkScript = () => {};
  const cut = other.set('b', pattern(LARGE));
  await node.bulkRequests.takeMany(5);
  second.destroy();
  expect(await rejection(cut)).toMatchObject({ code: 'CLOSED', outcome: 'not-applied' });
});
