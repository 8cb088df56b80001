import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { errorToFailure, keySlice, LarderError } from '@larder/proto';
import { startCluster } from '@larder/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GeneratedClient, type Message, methodNamed } from './generated-client.js';
import { type LocalCluster, startLocalCluster } from './local-cluster.js';

const CONFIG = { limits: { valueBytesMax: '1MiB' }, caches: { people: { memory: '32MiB', ttl: '1h' } } };

let cluster: LocalCluster;
let clients: GeneratedClient[];

beforeAll(async () => {
  cluster = await startLocalCluster({ config: CONFIG, nodes: 3 });
  clients = cluster.addresses.map((address) => new GeneratedClient(address));
});

afterAll(async () => {
  for (const client of clients) client.close();
  await cluster[Symbol.asyncDispose]();
});

const client = (index: number): GeneratedClient => clients[index] as GeneratedClient;

/** What the node at `index` says about itself, and a key that it does, or does not, own. */
async function keyOf(index: number, owned: boolean): Promise<Buffer> {
  const { view } = await client(index).call('GetView', {});
  const self = view.nodes.findIndex((node: Message) => node.address === cluster.addresses[index]);
  for (let number = 0; ; number++) {
    const key = Buffer.from(`person:${index}:${number}`);
    if ((view.owners[keySlice(key).partition] === self) === owned) return key;
  }
}

interface Ending {
  status: string;
  code: unknown;
  outcome: unknown;
  message: string;
}

/** What a call that fails ends with. */
async function failure(call: Promise<Message>): Promise<Ending> {
  const error = await call.then(
    () => expect.fail('the call did not fail'),
    (fault: ServiceError) => fault,
  );
  const [code] = error.metadata.get('larder-code');
  const [outcome] = error.metadata.get('larder-outcome');
  return { status: status[error.code] as string, code, outcome, message: error.details };
}

/** Calls Get and resolves with its gRPC status; never, if a message comes first, because nobody reads that. */
function askAndNotRead(session: ClientHttp2Session, request: object): Promise<number> {
  const { path, requestSerialize } = methodNamed('Get');
  const body = requestSerialize(request);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request(headers);
  stream.on('error', () => {});
  stream.end(Buffer.concat([prefix, body]));
  return new Promise((resolve) => {
    stream.on('response', (received) => {
      if (received['grpc-status'] !== undefined) resolve(Number(received['grpc-status']));
    });
  });
}

test('every node tells the same view', async () => {
  const views = await Promise.all(clients.map((each) => each.call('GetView', {})));
  for (const { view } of views) expect(view.cluster).toMatch(/^[0-9a-f]{32}$/);
  expect(views[0]?.view.nodes).toEqual(cluster.addresses.map((address, index) => ({ id: `n${index + 1}`, address })));
  expect(views[0]?.view.owners).toHaveLength(1024);
  expect(views[1]).toEqual(views[0]);
  expect(views[2]).toEqual(views[0]);
});

test('a key that was set through one node is read through every other', async () => {
  for (const writer of [0, 1, 2]) {
    const key = Buffer.from(`through:${writer}`);
    const value = Buffer.from(`value ${writer}`);
    const written = await client(writer).call('Set', { cache: 'people', key, value, ttlMs: 60_000 });
    expect(written).toMatchObject({ copies: 2 });
    for (const reader of clients) {
      const found = await reader.call('Get', { cache: 'people', key });
      expect(found.value).toEqual(value);
      expect([found.epoch, found.seq]).toEqual([written.epoch, written.seq]);
      expect(found.ttlMs).toBeGreaterThan(50_000);
      expect(found.ttlMs).toBeLessThanOrEqual(60_000);
    }
  }
});

test('a miss has no value, and an empty value is one', async () => {
  for (const reader of clients) {
    expect(await reader.call('Get', { cache: 'people', key: Buffer.from('nobody') })).not.toHaveProperty('value');
  }
  const key = Buffer.from('empty');
  await client(0).call('Set', { cache: 'people', key, value: Buffer.alloc(0) });
  for (const reader of clients) {
    expect((await reader.call('Get', { cache: 'people', key })).value).toEqual(Buffer.alloc(0));
  }
});

test('a numbered write that comes again, also by another node, is applied once and told the same', async () => {
  const key = Buffer.from('numbered');
  const write = {
    cache: 'people',
    key,
    value: Buffer.from('first'),
    id: { clientId: 77, request: 1, settledBelow: 1 },
  };
  const first = await client(0).call('Set', write);
  await client(1).call('Set', { cache: 'people', key, value: Buffer.from('second') });
  const again = { ...write, id: { ...write.id, retry: true } };
  for (const each of clients) expect(await each.call('Set', again)).toEqual(first);
  expect((await client(2).call('Get', { cache: 'people', key })).value).toEqual(Buffer.from('second'));
});

test('a write that asks for no second copy is answered without one', async () => {
  const write = { cache: 'people', key: Buffer.from('alone'), value: Buffer.from('x'), ack: 'ACKNOWLEDGEMENT_OWNER' };
  for (const each of clients) expect(await each.call('Set', write)).toMatchObject({ copies: 1 });
});

test('a write with a number that nodes cannot tell each other is refused, and the cluster goes on', async () => {
  const write = { cache: 'people', key: Buffer.from('far'), value: Buffer.from('x') };
  for (const id of [
    { clientId: 2 ** 53, request: 1, settledBelow: 1 },
    { clientId: 1, request: 2 ** 53, settledBelow: 1 },
    { clientId: 1, request: 1, settledBelow: 2 ** 60 },
  ]) {
    expect(await failure(client(0).call('Set', { ...write, id }))).toMatchObject({
      code: 'BAD_ARGUMENT',
      outcome: 'not-applied',
      message: expect.stringContaining('allowed are 0 to 2^53 - 1'),
    });
  }
  expect(await client(0).call('Set', write)).toMatchObject({ copies: 2 });
});

test('delete and expire tell whether there was an entry', async () => {
  for (const each of clients) {
    const key = Buffer.from('to be deleted');
    await each.call('Set', { cache: 'people', key, value: Buffer.from('x'), ttlMs: 0 });
    expect(await each.call('Get', { cache: 'people', key })).not.toHaveProperty('ttlMs');
    expect(await each.call('Expire', { cache: 'people', key, ttlMs: 5_000 })).toEqual({ found: true });
    expect((await each.call('Get', { cache: 'people', key })).ttlMs).toBeLessThanOrEqual(5_000);
    expect(await each.call('Delete', { cache: 'people', key })).toEqual({ found: true });
    expect(await each.call('Delete', { cache: 'people', key })).toEqual({ found: false });
    expect(await each.call('Expire', { cache: 'people', key, ttlMs: 5_000 })).toEqual({ found: false });
  }
});

test('the largest value passes through a node that does not own its key', async () => {
  const key = await keyOf(1, false);
  const value = Buffer.alloc(1024 * 1024, 'large');
  await client(1).call('Set', { cache: 'people', key, value });
  expect(value.equals((await client(1).call('Get', { cache: 'people', key })).value)).toBe(true);
});

describe.each(['owned', 'forwarded'])('a fault of a call that is %s', (place) => {
  let key: Buffer;
  beforeAll(async () => {
    key = await keyOf(0, place === 'owned');
  });

  test.each([
    ['an unknown cache', 'Get', { cache: 'poeple' }, 'NOT_FOUND', 'UNKNOWN_CACHE', 'declared are: people'],
    ['an empty key', 'Get', { key: Buffer.alloc(0) }, 'INVALID_ARGUMENT', 'BAD_ARGUMENT', 'key has 0 bytes'],
    ['a long key', 'Delete', { key: Buffer.alloc(4097) }, 'INVALID_ARGUMENT', 'BAD_ARGUMENT', 'key has 4097 bytes'],
    ['a large value', 'Set', { value: Buffer.alloc(2 ** 20 + 1) }, 'INVALID_ARGUMENT', 'TOO_LARGE', 'up to 1048576'],
    ['a wrong ttl', 'Set', { ttlMs: 2 ** 41 }, 'INVALID_ARGUMENT', 'BAD_ARGUMENT', 'ttl is 2199023255552 ms'],
    ['a wrong ttl of expire', 'Expire', { ttlMs: 2 ** 41 }, 'INVALID_ARGUMENT', 'BAD_ARGUMENT', 'ttl is'],
  ])('%s', async (_name, method, request, grpcStatus, code, message) => {
    const ending = await failure(client(0).call(method, { cache: 'people', key, ...request }));
    expect(ending).toMatchObject({ status: grpcStatus, code, outcome: 'not-applied' });
    expect(ending.message).toContain(message);
    expect(ending.message.startsWith(`${code}: `)).toBe(true);
  });
});

test('a message far above the largest value is refused before it is kept', async () => {
  const request = { cache: 'people', key: Buffer.from('k'), value: Buffer.alloc(3 * 1024 * 1024) };
  expect(await failure(client(0).call('Set', request))).toMatchObject({ status: 'RESOURCE_EXHAUSTED' });
});

test('a call is forwarded once: a forwarded one for a key of somebody else is NOT_OWNER', async () => {
  const metadata = new Metadata();
  metadata.set('larder-forwarded', '1');
  const key = await keyOf(2, false);
  const ending = await failure(client(2).call('Get', { cache: 'people', key }, 1_000, metadata));
  expect(ending).toMatchObject({ status: 'FAILED_PRECONDITION', code: 'NOT_OWNER', outcome: 'not-applied' });
});

test('an owner that is away: a write through another node is not applied and says so', async () => {
  // Without other copies nobody takes over.
  const lonely = await startCluster({ config: { ...CONFIG, cluster: { copies: 1 } }, nodes: 2 });
  const through = new GeneratedClient(lonely.endpoints[0] as string);
  const { view } = await through.call('GetView', {});
  let number = 0;
  while (view.owners[keySlice(Buffer.from(`key:${number}`)).partition] === 0) number++;
  lonely.node('n2').kill();
  await lonely.node('n2').exited;
  const request = { cache: 'people', key: Buffer.from(`key:${number}`), value: Buffer.from('x') };
  const ending = await failure(through.call('Set', request));
  expect(ending).toMatchObject({ status: 'UNAVAILABLE', code: 'UNAVAILABLE', outcome: 'not-applied' });
  expect(ending.message).toContain(`node n2 at ${lonely.endpoints[1]}`);
  expect(await failure(through.call('Get', request))).toMatchObject({ code: 'UNAVAILABLE', outcome: undefined });
  through.close();
  await lonely.stop();
});

test('a node that stops refuses new operations as not applied', async () => {
  await using stopping = await startLocalCluster({ config: CONFIG });
  const each = new GeneratedClient(stopping.addresses[0] as string);
  const session = each.open('Session');
  const hello = { hello: { protocol: 1 }, open: [{ handle: 0, name: 'people' }] };
  expect((await session.ask(hello)).view.version).toBe(1);
  // One answer later the node has seen everything, and a transfer that waits for its client keeps it from ending.
  const bulk = each.open('Bulk');
  const operation = { kind: 2, key: Buffer.from('large') };
  await bulk.ask({ transfer: 1, operation, cacheName: 'people', valueBytes: 2, chunk: Buffer.from('a') });
  const closing = stopping.nodes[0]?.close();
  const reply = await session.ask({ operations: [{ id: 7, kind: 1, key: Buffer.from('x') }] });
  const refused = new LarderError('UNAVAILABLE', 'node n1 is shutting down', { outcome: 'not-applied' });
  expect(reply.replies[0]).toMatchObject({ id: 7, failure: errorToFailure(refused) });
  const ending = await failure(each.call('Get', { cache: 'people', key: Buffer.from('x') }));
  expect(ending).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-applied' });
  expect(await each.health('')).toBe('NOT_SERVING');
  // What had begun is finished.
  expect((await bulk.ask({ transfer: 1, chunk: Buffer.from('b') })).reply).toMatchObject({ failure: null });
  expect(await closing).toEqual({ pendingWrites: 0, unfinished: 0 });
  each.close();
});

test('statistics count what was done', async () => {
  await using fresh = await startLocalCluster({ config: CONFIG });
  const each = new GeneratedClient(fresh.addresses[0] as string);
  const key = Buffer.from('counted');
  await each.call('Get', { cache: 'people', key });
  await each.call('Set', { cache: 'people', key, value: Buffer.alloc(1000) });
  await each.call('Get', { cache: 'people', key });
  const statistics = await each.call('GetStatistics', {});
  expect(statistics).toMatchObject({ nodeId: 'n1', sessions: 0 });
  expect(statistics.memoryBytes).toBeGreaterThan(1000);
  expect(statistics.memoryBytes).toBeLessThanOrEqual(statistics.memoryBytesMax);
  const [people] = statistics.caches;
  expect(people).toMatchObject({ name: 'people', entries: 1, hits: 1, misses: 1, sets: 1, pendingWrites: 0 });
  expect(people.bytes).toBeGreaterThan(1000);
  expect(await each.call('Flush', {})).toEqual({ pendingWrites: 0 });
  each.close();
});

test('large values that a client asks for and does not read are bounded', async () => {
  await using small = await startLocalCluster({ config: { ...CONFIG, limits: { transferBytesMax: '8MiB' } } });
  const address = small.addresses[0] as string;
  const each = new GeneratedClient(address);
  const key = Buffer.from('large');
  await each.call('Set', { cache: 'people', key, value: Buffer.alloc(1024 * 1024 - 1) });
  // A client of its own that opens its window for nothing, and so leaves the node with what it asked for.
  const deaf = connectHttp2(`http://${address}`, { settings: { initialWindowSize: 0 } });
  const asked = Array.from({ length: 20 }, () => askAndNotRead(deaf, { cache: 'people', key }));
  // Room for eight: the others are told so, in trailers, which need no window.
  const verdicts = await Promise.all(asked.slice(8));
  expect(new Set(verdicts)).toEqual(new Set([status.RESOURCE_EXHAUSTED]));
  expect(await failure(each.call('Get', { cache: 'people', key }))).toMatchObject({ code: 'BUSY' });
  deaf.destroy();
  while ((await each.call('Get', { cache: 'people', key }).catch(() => undefined)) === undefined) {}
  each.close();
});

test('a node takes as many sessions as it may and refuses one more', async () => {
  await using small = await startLocalCluster({ config: { ...CONFIG, limits: { sessionsMax: 2 } } });
  const each = new GeneratedClient(small.addresses[0] as string);
  const hello = { hello: { protocol: 1 } };
  const sessions = [each.open('Session'), each.open('Session')];
  for (const session of sessions) await session.ask(hello);
  expect((await each.call('GetStatistics', {})).sessions).toBe(2);
  await expect(each.open('Session').ask(hello)).rejects.toThrow('RESOURCE_EXHAUSTED');
  sessions[0]?.stream.end();
  await expect(sessions[0]?.next()).rejects.toThrow('has ended');
  expect((await each.open('Session').ask(hello)).view.nodes).toHaveLength(1);
  each.close();
});
