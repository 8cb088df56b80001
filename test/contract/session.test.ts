import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { errorCodeNumber, keySlice, SessionRequestWriter } from '@larder/proto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Conversation, GeneratedClient, type Message } from './generated-client.js';
import { type LocalCluster, startLocalCluster } from './local-cluster.js';

// The session as a generated codec speaks it: see larder/v1/cache.proto.

const GET = 1;
const SET = 2;
const DELETE = 3;
const ENTRY = 4;
const PEEK = 5;
const EXPIRE = 6;
const HELLO = { hello: { protocol: 1, clientName: 'a test' } };
const CONFIG = { caches: { first: { memory: '32MiB' }, second: { memory: '32MiB' } } };

let cluster: LocalCluster;
let client: GeneratedClient;
let session: Conversation;

beforeAll(async () => {
  cluster = await startLocalCluster({ config: CONFIG });
  client = new GeneratedClient(cluster.addresses[0] as string);
});
afterAll(async () => {
  client.close();
  await cluster[Symbol.asyncDispose]();
});
beforeEach(() => {
  session = client.open('Session');
});
afterEach(() => session.cancel());

let id = 0;
const operation = (kind: number, key: string, more: object = {}) => ({
  id: ++id,
  kind,
  key: Buffer.from(key),
  ...more,
});
const code = (name: Parameters<typeof errorCodeNumber>[0]): object => ({ failure: { code: errorCodeNumber(name) } });

/** The replies to operations, in their order, however they came. */
async function replies(...operations: { id: number }[]): Promise<Message[]> {
  session.send({ operations });
  const byId = new Map<number, Message>();
  while (byId.size < operations.length) {
    for (const reply of (await session.next()).replies) byId.set(reply.id, reply);
  }
  return operations.map((each) => byId.get(each.id) as Message);
}

async function begin(): Promise<void> {
  await session.ask({ ...HELLO, open: [{ handle: 0, name: 'first' }] });
}

test('hello, open and operations may come in one message, in whichever order a codec writes its fields', async () => {
  const key = Buffer.from('all in one');
  const frame = {
    ...HELLO,
    open: [{ handle: 9, name: 'second' }],
    operations: [{ id: 1, kind: SET, cache: 9, key, value: Buffer.from('v') }],
  };
  const response = await session.ask(frame);
  expect(response.view.nodes).toEqual([{ id: 'n1', address: cluster.addresses[0] }]);
  expect(response.replies).toMatchObject([{ id: 1, failure: null, copies: 1 }]);

  const later = { operations: [{ id: 2, kind: GET, cache: 4095, key }], open: [{ handle: 4095, name: 'second' }] };
  expect((await session.ask(later)).replies[0].value).toEqual(Buffer.from('v'));
});

test('every kind of operation is answered', async () => {
  await begin();
  const value = Buffer.from('v');
  const [set, get, entry, peek, expire, miss, gone] = await replies(
    operation(SET, 'a', { value, ttlMs: 10_000 }),
    operation(GET, 'a'),
    operation(ENTRY, 'a'),
    operation(PEEK, 'a'),
    operation(EXPIRE, 'a', { ttlMs: 0 }),
    operation(GET, 'nothing'),
    operation(DELETE, 'nothing'),
  );
  expect(set).toMatchObject({ failure: null, copies: 1 });
  expect(get).toMatchObject({ value, epoch: 0, seq: 0 });
  expect(entry).toMatchObject({ value, epoch: set?.epoch, seq: set?.seq });
  expect(entry?.ttlMs).toBeGreaterThan(9_000);
  expect(peek).toMatchObject({ found: true, epoch: set?.epoch, seq: set?.seq });
  expect(peek).not.toHaveProperty('value');
  expect(expire).toMatchObject({ found: true });
  expect(miss).toMatchObject({ failure: null });
  expect(miss).not.toHaveProperty('value');
  expect(gone).toMatchObject({ found: false });
  const [lasting, deleted] = await replies(operation(ENTRY, 'a'), operation(DELETE, 'a'));
  expect(lasting).not.toHaveProperty('ttlMs');
  expect(deleted).toMatchObject({ found: true });
});

test('a value above 64 KiB is named by its size, to be fetched by Bulk', async () => {
  await begin();
  await client.call('Set', { cache: 'first', key: Buffer.from('big'), value: Buffer.alloc(70_000) });
  const [get] = await replies(operation(GET, 'big'));
  expect(get).toMatchObject({ bulkBytes: 70_000 });
  expect(get).not.toHaveProperty('value');
});

test('a thousand operations in one frame are all answered, in frames of their own', async () => {
  await begin();
  const sets = Array.from({ length: 1000 }, (_, index) => operation(SET, `many:${index}`, { value: Buffer.alloc(50) }));
  expect((await replies(...sets)).every((reply) => reply.failure === null)).toBe(true);
  const gets = sets.map((_, index) => operation(GET, `many:${index}`));
  expect((await replies(...gets)).every((reply) => reply.value?.length === 50)).toBe(true);
});

describe('an operation with a fault is answered, and the session goes on', () => {
  test.each([
    ['a handle that is not open', operation(GET, 'a', { cache: 77 }), 'UNKNOWN_CACHE'],
    ['an empty key', operation(GET, ''), 'BAD_ARGUMENT'],
    ['a key above 4,096 bytes', operation(GET, 'k'.repeat(4097)), 'BAD_ARGUMENT'],
    ['a value above 64 KiB', operation(SET, 'a', { value: Buffer.alloc(65_537) }), 'TOO_LARGE'],
    ['a ttl above the bound', operation(SET, 'a', { ttlMs: 2 ** 41 }), 'BAD_ARGUMENT'],
    ['no kind', operation(0, 'a'), 'BAD_ARGUMENT'],
    ['an unknown kind', operation(99, 'a'), 'BAD_ARGUMENT'],
  ] as const)('%s', async (_name, faulty, expected) => {
    await begin();
    const [failed, fine] = await replies(faulty, operation(GET, 'b'));
    expect(failed).toMatchObject(code(expected));
    expect(failed?.failure.outcome).toBe(1);
    expect(fine).toMatchObject({ failure: null });
  });

  test('a name that no cache has', async () => {
    await begin();
    session.send({ open: [{ handle: 5, name: 'third' }] });
    const [failed] = await replies(operation(GET, 'a', { cache: 5 }));
    expect(failed).toMatchObject(code('UNKNOWN_CACHE'));
    expect(failed?.failure.message).toContain('no cache is named "third"; declared are: first, second');
  });
});

describe('a fault of the session ends it', () => {
  test.each([
    ['no hello', { operations: [operation(GET, 'a')] }, 'INVALID_ARGUMENT: BAD_ARGUMENT: the first message'],
    ['another protocol', { hello: { protocol: 2 } }, 'FAILED_PRECONDITION: INCOMPATIBLE: hello.protocol is 2'],
    [
      'a handle above 4,095',
      { ...HELLO, open: [{ handle: 4096, name: 'first' }] },
      'BAD_ARGUMENT: open.handle is 4096',
    ],
  ])('%s', async (_name, frame, message) => {
    await expect(session.ask(frame)).rejects.toThrow(message);
  });

  test('hello twice', async () => {
    await begin();
    await expect(session.ask(HELLO)).rejects.toThrow('a session carries hello once');
  });

  test('a frame above 256 KiB', async () => {
    await begin();
    const large = Array.from({ length: 5 }, (_, index) => operation(SET, `${index}`, { value: Buffer.alloc(60_000) }));
    await expect(session.ask({ operations: large })).rejects.toThrow('TOO_LARGE: a frame of');
  });
});

test('a node that does not own a key says who does', async () => {
  await using two = await startLocalCluster({ config: CONFIG, nodes: 2 });
  const other = new GeneratedClient(two.addresses[1] as string);
  const conversation = other.open('Session');
  const { view } = await conversation.ask({ ...HELLO, open: [{ handle: 0, name: 'first' }] });
  let number = 0;
  while (view.owners[keySlice(Buffer.from(`${number}`)).partition] !== 0) number++;
  let answer = await conversation.ask({ operations: [operation(GET, `${number}`)] });
  // A new view may come before it.
  while (answer.replies.length === 0) answer = await conversation.next();
  const { replies: answers } = answer;
  expect(answers[0].failure).toMatchObject({ code: errorCodeNumber('NOT_OWNER') });
  expect(answers[0].failure.viewVersion).toBeGreaterThanOrEqual(view.version);
  expect(answers[0].failure.message).toContain(`belongs to node n1 at ${two.addresses[0]}`);
  other.close();
});

test('a node that was closed has no connection left, though a client holds its stream open', async () => {
  const local = await startLocalCluster({ config: CONFIG });
  const connection = connectHttp2(`http://${local.addresses[0]}`);
  connection.on('error', () => {});
  const path = '/larder.v1.CacheService/Session';
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = connection.request(headers);
  stream.on('error', () => {});
  const writer = new SessionRequestWriter(64);
  writer.hello(1, 'a client that does not end', 0);
  const hello = writer.take();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(hello.length, 1);
  stream.write(Buffer.concat([prefix, hello]));
  await once(stream, 'data');
  const closed = new Promise((resolve) => connection.once('close', resolve));
  await local[Symbol.asyncDispose]();
  await closed;
});
