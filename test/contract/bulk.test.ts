import { ManualClock } from '@larder/base';
import { ERROR_CODES, errorCodeNumber } from '@larder/proto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GeneratedClient, type Message } from './generated-client.js';
import { type LocalCluster, startLocalCluster } from './local-cluster.js';

const CHUNK = 64 * 1024;
const SET = 2;
const GET = 1;
const ENTRY = 4;
const CONFIG = {
  limits: { valueBytesMax: '2MiB', transferBytesMax: '4MiB' },
  caches: { files: { memory: '64MiB' } },
};

let clock: ManualClock;
let cluster: LocalCluster;
let client: GeneratedClient;

beforeEach(async () => {
  clock = new ManualClock();
  cluster = await startLocalCluster({ config: CONFIG, clock });
  client = new GeneratedClient(cluster.addresses[0] as string);
});

afterEach(async () => {
  client.close();
  await cluster[Symbol.asyncDispose]();
});

const key = Buffer.from('report.pdf');
const someBytes = (length: number): Buffer => Buffer.alloc(length, Buffer.from('0123456789abcdefg'));
const set = (transfer: number, valueBytes: number, chunk: Buffer, more: object = {}) => ({
  transfer,
  operation: { kind: SET, key },
  cacheName: 'files',
  valueBytes,
  chunk,
  ...more,
});
const get = (transfer: number) => ({ transfer, operation: { kind: GET, key }, cacheName: 'files' });

function failureOf(response: Message): { code: string; outcome: number; message: string } {
  const { code, ...rest } = response.reply.failure;
  return { ...rest, code: ERROR_CODES.find((name) => errorCodeNumber(name) === code) };
}

/** Writes as the contract says: a chunk, its answer, the next chunk. */
async function write(value: Buffer): Promise<Message> {
  const stream = client.open('Bulk');
  let response = await stream.ask(set(1, value.length, value.subarray(0, CHUNK)));
  for (let at = CHUNK; at < value.length; at += CHUNK) {
    expect(response.reply).toBeNull();
    response = await stream.ask({ transfer: 1, chunk: value.subarray(at, at + CHUNK) });
  }
  stream.stream.end();
  return response.reply;
}

describe('a large value', () => {
  test.each([0, 1, CHUNK, CHUNK + 1, 1_000_003])('of %i bytes is written and read in chunks', async (bytes) => {
    const value = someBytes(bytes);
    expect(await write(value)).toMatchObject({ failure: null, copies: 1 });

    const stream = client.open('Bulk');
    const chunks: Buffer[] = [];
    let response = await stream.ask(get(9));
    expect(response).toMatchObject({ transfer: 9, valueBytes: bytes, reply: null });
    for (;;) {
      chunks.push(response.chunk);
      expect(response.chunk.length).toBeLessThanOrEqual(CHUNK);
      if (Buffer.concat(chunks).length >= bytes) break;
      response = await stream.ask({ transfer: 9 });
    }
    expect(Buffer.concat(chunks).equals(value)).toBe(true);
    stream.cancel();
  });

  test('is read as it was when the read began', async () => {
    const before = someBytes(3 * CHUNK);
    await write(before);
    const stream = client.open('Bulk');
    const first = await stream.ask(get(1));
    await write(Buffer.alloc(100));
    const rest = [await stream.ask({ transfer: 1 }), await stream.ask({ transfer: 1 })];
    expect(Buffer.concat([first, ...rest].map((response) => response.chunk)).equals(before)).toBe(true);
    stream.cancel();
  });

  test('of an entry comes with its version and life, as they were when the read began', async () => {
    const stream = client.open('Bulk');
    const { epoch, seq } = await write(someBytes(2 * CHUNK));
    const first = await stream.ask({ transfer: 1, operation: { kind: ENTRY, key }, cacheName: 'files' });
    expect(first).toMatchObject({ valueBytes: 2 * CHUNK, reply: { found: true, epoch, seq, stale: false } });
    expect(first.reply.ttlMs).toBeUndefined();
    expect(first.chunk).toHaveLength(CHUNK);
    expect((await stream.ask({ transfer: 1 })).reply).toBeNull();

    await stream.ask(set(2, 9, someBytes(9), { operation: { kind: SET, key, ttlMs: 60_000 } }));
    const small = await stream.ask({ transfer: 3, operation: { kind: ENTRY, key }, cacheName: 'files' });
    expect(small).toMatchObject({ valueBytes: 9, reply: { found: true, ttlMs: 60_000, epoch, seq: seq + 1 } });
    stream.cancel();
  });

  test('that is not there is answered by an empty reply', async () => {
    const stream = client.open('Bulk');
    expect((await stream.ask(get(1))).reply).toMatchObject({ failure: null });
    stream.cancel();
  });

  test('is not written when its writer cancels', async () => {
    const stream = client.open('Bulk');
    await stream.ask(set(1, 2 * CHUNK, someBytes(CHUNK)));
    stream.send({ transfer: 1, cancel: true });
    // The id is free again, and nothing was answered in between.
    expect((await stream.ask(get(1))).reply).toMatchObject({ failure: null });
    stream.cancel();
  });

  test('of two transfers on one stream come to their ends independently', async () => {
    await write(someBytes(2 * CHUNK));
    const stream = client.open('Bulk');
    expect(await stream.ask(get(1))).toMatchObject({ transfer: 1 });
    expect(await stream.ask(set(2, 10, someBytes(10)))).toMatchObject({ transfer: 2, reply: { failure: null } });
    expect((await stream.ask({ transfer: 1 })).chunk).toHaveLength(CHUNK);
    stream.cancel();
  });
});

describe('faults', () => {
  test.each([
    ['more bytes than announced', set(1, 5, someBytes(6)), 'BAD_ARGUMENT', '6 bytes in chunks where 5 were announced'],
    ['a chunk above 64 KiB', set(1, 2 * CHUNK, someBytes(CHUNK + 1)), 'BAD_ARGUMENT', 'a chunk of 65537 bytes'],
    ['a value above the bound', set(1, 2 ** 21 + 1, someBytes(1)), 'TOO_LARGE', 'allows up to 2097152'],
    ['an unknown cache', set(1, 1, someBytes(1), { cacheName: 'flies' }), 'UNKNOWN_CACHE', 'declared are: files'],
    ['an empty key', { ...get(1), operation: { kind: GET } }, 'BAD_ARGUMENT', 'key has 0 bytes'],
    ['a ttl that is none', { ...get(1), operation: { kind: GET, key, ttlMs: 2 ** 45 } }, 'BAD_ARGUMENT', 'ttl is'],
    [
      'an operation that has no value',
      { ...get(1), operation: { kind: 3, key } },
      'BAD_ARGUMENT',
      'operation.kind is 3',
    ],
    ['a transfer that was not begun', { transfer: 5, chunk: someBytes(3) }, 'BAD_ARGUMENT', 'transfer 5 is not open'],
  ])('%s is answered, and the stream goes on', async (_name, request, code, message) => {
    const stream = client.open('Bulk');
    const failure = failureOf(await stream.ask(request));
    expect(failure).toMatchObject({ code, outcome: 1 });
    expect(failure.message).toContain(message);
    expect((await stream.ask(get(1))).reply).toMatchObject({ failure: null });
    stream.cancel();
  });

  test('an id that is in use ends the transfer that uses it', async () => {
    const stream = client.open('Bulk');
    await stream.ask(set(1, 2 * CHUNK, someBytes(CHUNK)));
    expect(failureOf(await stream.ask(get(1)))).toMatchObject({ code: 'BAD_ARGUMENT', outcome: 1 });
    expect((await stream.ask(get(1))).reply).toMatchObject({ failure: null });
    stream.cancel();
  });
});

describe('bounds', () => {
  const announce = (transfer: number) => set(transfer, 2 ** 21, someBytes(1));

  test('the bytes of all transfers together are bounded, and come back when one is cancelled', async () => {
    const stream = client.open('Bulk');
    expect((await stream.ask(announce(1))).reply).toBeNull();
    expect((await stream.ask(announce(2))).reply).toBeNull();
    const failure = failureOf(await stream.ask(announce(3)));
    expect(failure).toMatchObject({ code: 'BUSY', outcome: 1 });
    expect(failure.message).toContain('allowed are 4194304');
    stream.send({ transfer: 1, cancel: true });
    expect((await stream.ask(announce(3))).reply).toBeNull();
    stream.cancel();
  });

  test('a stream that breaks gives its bytes back', async () => {
    const broken = client.open('Bulk');
    await broken.ask(announce(1));
    await broken.ask(announce(2));
    broken.cancel();
    await expect(broken.next()).rejects.toThrow('CANCELLED');
    const stream = client.open('Bulk');
    // Until the node has heard of it the new transfers are refused.
    for (const transfer of [1, 2]) while ((await stream.ask(announce(transfer))).reply) {}
    stream.cancel();
  });

  test('a transfer whose client says nothing for 30 seconds is dropped', async () => {
    const stream = client.open('Bulk');
    await stream.ask(announce(1));
    clock.advance(29_000);
    expect((await stream.ask({ transfer: 1, chunk: someBytes(1) })).reply).toBeNull();
    clock.advance(29_000);
    expect((await stream.ask({ transfer: 1, chunk: someBytes(1) })).reply).toBeNull();
    clock.advance(32_000);
    expect(failureOf(await stream.next())).toMatchObject({ code: 'TIMEOUT', outcome: 1 });
    stream.cancel();
  });

  test('one stream has at most 256 transfers', async () => {
    const stream = client.open('Bulk');
    for (let transfer = 1; transfer <= 256; transfer++) await stream.ask(set(transfer, 2, someBytes(1)));
    const failure = failureOf(await stream.ask(set(257, 2, someBytes(1))));
    expect(failure).toMatchObject({ code: 'BUSY', message: 'more than 256 transfers on one stream' });
    stream.cancel();
  });
});
