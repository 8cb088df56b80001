import { errorCodeNumber } from '@larder/proto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Conversation, GeneratedClient, type Message } from './generated-client.js';
import { type LocalCluster, startLocalCluster } from './local-cluster.js';

// Loading what is missing, as a generated codec speaks of it: see docs/protocol.md.

const GET = 1;
const SET = 2;
const DELETE = 3;
const RELEASE = 8;
const FRESH = 3;
const LARGE = Buffer.alloc(100_000, 'large');
const CHUNK = 64 * 1024;

let cluster: LocalCluster;
let client: GeneratedClient;
/** Of two clients. */
let one: Conversation;
let other: Conversation;

beforeAll(async () => {
  cluster = await startLocalCluster({ config: { caches: { results: { memory: '32MiB' } } } });
  client = new GeneratedClient(cluster.addresses[0] as string);
});
afterAll(async () => {
  client.close();
  await cluster[Symbol.asyncDispose]();
});
beforeEach(async () => {
  [one, other] = [client.open('Session'), client.open('Session')];
  const hello = { protocol: 1, clientName: 'a test' };
  for (const session of [one, other]) await session.ask({ hello, open: [{ handle: 0, name: 'results' }] });
});
afterEach(() => {
  one.cancel();
  other.cancel();
});

let id = 0;
function send(session: Conversation, kind: number, key: string, more: object = {}): void {
  session.send({ operations: [{ id: ++id, kind, key: Buffer.from(key), ...more }] });
}

async function reply(session: Conversation): Promise<Message> {
  for (;;) {
    const { replies } = await session.next();
    if (replies.length > 0) return replies[0];
  }
}

async function ask(session: Conversation, kind: number, key: string, more: object = {}): Promise<Message> {
  send(session, kind, key, more);
  return reply(session);
}

const value = (text: string): { value: Buffer } => ({ value: Buffer.from(text) });

test('one session gets a lease, again when it asks again; the other waits for what it brings', async () => {
  const { lease, value: missing } = await ask(one, GET, 'a', { lease: true });
  expect(lease).toBeGreaterThan(0);
  expect(missing).toBeUndefined();
  expect((await ask(one, GET, 'a', { lease: true })).lease).toBe(lease);
  send(other, GET, 'a', { lease: true });
  expect(await ask(one, SET, 'a', { ...value('loaded'), fill: lease })).toMatchObject({
    refusedFill: false,
    copies: 1,
  });
  expect(await reply(other)).toMatchObject({ ...value('loaded'), lease: 0 });
});

test('a lease that was given back goes to the next, and what comes for it then is refused', async () => {
  const { lease } = await ask(one, GET, 'b', { lease: true });
  send(other, GET, 'b', { lease: true });
  await ask(other, GET, 'something else');
  expect(await ask(one, RELEASE, 'b', { fill: lease })).toMatchObject({ found: true });
  expect((await reply(other)).lease).toBeGreaterThan(0);
  expect(await ask(one, SET, 'b', { ...value('late'), fill: lease })).toMatchObject({ refusedFill: true, seq: 0 });
  expect(await ask(one, RELEASE, 'b', { fill: lease })).toMatchObject({ found: false, failure: null });
  expect((await ask(one, GET, 'b')).value).toBeUndefined();
});

test('a write of the key ends its lease', async () => {
  for (const [kind, more] of [
    [DELETE, {}],
    [SET, value('newer')],
  ] as const) {
    const { lease } = await ask(one, GET, `c${kind}`, { lease: true });
    await ask(other, kind, `c${kind}`, more);
    expect(await ask(one, SET, `c${kind}`, { ...value('old'), fill: lease })).toMatchObject({ refusedFill: true });
  }
});

test('the end of a session gives its leases back', async () => {
  await ask(one, GET, 'd', { lease: true });
  send(other, GET, 'd', { lease: true });
  await ask(other, GET, 'something else');
  one.cancel();
  expect((await reply(other)).lease).toBeGreaterThan(0);
});

test('a large value fills a lease by Bulk, and is refused there too', async () => {
  const { lease } = await ask(one, GET, 'e', { lease: true });
  const fill = async (): Promise<Message> => {
    const bulk = client.open('Bulk');
    const operation = { kind: SET, key: Buffer.from('e'), fill: lease };
    const chunk = LARGE.subarray(0, CHUNK);
    await bulk.ask({ transfer: 1, operation, cacheName: 'results', valueBytes: LARGE.length, chunk });
    return (await bulk.ask({ transfer: 1, chunk: LARGE.subarray(CHUNK) })).reply;
  };
  expect(await fill()).toMatchObject({ refusedFill: false, copies: 1 });
  expect(await fill()).toMatchObject({ refusedFill: true });
  expect(await ask(other, GET, 'e', { lease: true })).toMatchObject({ bulkBytes: LARGE.length, lease: 0 });
});

test('a wait that is too long ends with TIMEOUT, final', async () => {
  await ask(one, GET, 'f', { lease: true });
  const { failure } = await ask(other, GET, 'f', { lease: true, timeoutMs: 100 });
  expect(failure).toMatchObject({ code: errorCodeNumber('TIMEOUT'), final: true });
});

test('a read that asks for a database where there is none is refused', async () => {
  const { failure } = await ask(one, GET, 'g', { read: FRESH });
  expect(failure).toMatchObject({ code: errorCodeNumber('BAD_ARGUMENT') });
  expect(failure.message).toContain("read is 'fresh', and cache 'results' has no origin");
});
