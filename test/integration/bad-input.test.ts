import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import {
  OperationKind,
  packageDefinition,
  ResponseItem,
  SessionRequestWriter,
  SessionResponseReader,
} from '@larder/proto';
import { type Cluster, startCluster } from '@larder/test-kit';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { GeneratedClient, type Message } from '../contract/generated-client.js';

// Whatever anybody sends to a node's port, the node lives and goes on serving everybody else.

let cluster: Cluster;
let address: string;
let port: number;
let bystander: GeneratedClient;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, config: { memory: '64MiB', caches: { plain: {} } } });
  address = cluster.endpoints[0] as string;
  port = Number(address.split(':')[1]);
  bystander = new GeneratedClient(address);
});
afterAll(async () => {
  bystander.close();
  await cluster.stop();
});

afterEach(async () => {
  const key = Buffer.from('bystander');
  await bystander.call('Set', { cache: 'plain', key, value: Buffer.from('well') });
  expect((await bystander.call('Get', { cache: 'plain', key })).value).toEqual(Buffer.from('well'));
  expect(cluster.nodes[0]?.isRunning).toBe(true);
  const complaints = cluster.nodes[0]?.log.filter((line) => line.includes('"event":"bug"'));
  expect(complaints).toEqual([]);
});

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

/** Writes to the port and awaits the node's end of the connection, or an answer that is enough. */
async function write(sent: Buffer, isAnswer?: (received: Buffer) => boolean): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  let received = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    if (isAnswer?.(received)) socket.destroy();
  });
  socket.write(sent);
  if (!isAnswer) socket.end();
  await closed(socket);
}

const closed = (stream: { on(event: 'close', listener: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => stream.on('close', resolve));

const PING = 6;
const GOAWAY = 7;
/** The types of the HTTP/2 frames that are complete. */
function frameTypes(received: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + 9 <= received.length; at += 9 + received.readUIntBE(at, 3))
    types.push(received[at + 3] as number);
  return types;
}

describe('on the bare port', () => {
  test('random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(2000), (noise) => write(noise)),
      { numRuns: 50 },
    );
  });

  test('other protocols', async () => {
    await write(Buffer.from('GET / HTTP/1.1\r\nHost: larder\r\n\r\n'));
    await write(Buffer.from('*2\r\n$3\r\nGET\r\n$1\r\na\r\n'));
    await write(Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'latin1'));
  });

  test('HTTP/2 with random frames', async () => {
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    const frame = fc.tuple(bytes(200), fc.nat(12), fc.nat(255), fc.nat(20)).map(([payload, type, flags, stream]) => {
      const header = Buffer.alloc(9);
      header.writeUIntBE(payload.length, 0, 3);
      header[3] = type;
      header[4] = flags;
      header.writeUInt32BE(stream, 5);
      return Buffer.concat([header, payload]);
    });
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // A node that still listens answers a PING, one that had enough of it says GOAWAY.
    const ping = Buffer.from([0, 0, 8, PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const isAnswer = (received: Buffer): boolean =>
      frameTypes(received).some((type) => type === PING || type === GOAWAY);
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 10 }), (frames) =>
        write(Buffer.concat([preface, settings, ...frames, ping]), isAnswer),
      ),
      { numRuns: 100 },
    );
  });
});

/** One HTTP/2 request with these headers and this body; resolves when it is over, however it ends. */
async function request(headers: Record<string, string | string[]>, body: Buffer): Promise<void> {
  const session = connectHttp2(`http://${address}`);
  session.on('error', () => {});
  try {
    const stream = session.request({
      ':method': 'POST',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => {});
    stream.resume();
    if (!stream.writableEnded) stream.end(body);
    await closed(stream);
  } finally {
    session.destroy();
  }
}

describe('as gRPC calls', () => {
  const GET = '/larder.v1.CacheService/Get';
  const SESSION = '/larder.v1.CacheService/Session';
  const message = (length: number, flag: number, body: Buffer): Buffer => {
    const prefix = Buffer.alloc(5);
    prefix[0] = flag;
    prefix.writeUInt32BE(length, 1);
    return Buffer.concat([prefix, body]);
  };

  test.each([
    ['no content type', { ':path': GET, 'content-type': 'text/html' }, Buffer.alloc(0)],
    ['a method that is not there', { ':path': '/larder.v1.CacheService/Fetch' }, Buffer.alloc(0)],
    ['a path that is none', { ':path': '//%00/\u00e9?a=b#c' }, Buffer.alloc(0)],
    ['an empty path', { ':path': '' }, Buffer.alloc(0)],
    ['no message', { ':path': GET }, Buffer.alloc(0)],
    ['half a prefix', { ':path': GET }, Buffer.from([0, 0])],
    ['a message of 4 GiB', { ':path': GET }, message(0xffffffff, 0, Buffer.from('a'))],
    ['a message that ends early', { ':path': SESSION }, message(1000, 0, Buffer.from('a'))],
    ['a compressed message that is not', { ':path': GET, 'grpc-encoding': 'gzip' }, message(3, 1, Buffer.from('abc'))],
    ['an unknown compression', { ':path': GET, 'grpc-encoding': 'zip' }, message(3, 1, Buffer.from('abc'))],
    ['an unknown flag', { ':path': GET }, message(3, 77, Buffer.from('abc'))],
    [
      'two messages for a unary call',
      { ':path': GET },
      Buffer.concat([message(0, 0, Buffer.alloc(0)), message(0, 0, Buffer.alloc(0))]),
    ],
    ['a wrong timeout', { ':path': GET, 'grpc-timeout': 'soon' }, message(0, 0, Buffer.alloc(0))],
    ['a huge timeout', { ':path': GET, 'grpc-timeout': '99999999H' }, message(0, 0, Buffer.alloc(0))],
    ['metadata that is not base64', { ':path': GET, 'x-bin': '!!!' }, message(0, 0, Buffer.alloc(0))],
    ['another method than POST', { ':path': GET, ':method': 'GET' }, Buffer.alloc(0)],
  ])('%s', async (_name, headers, body) => {
    await request(headers, body);
  });

  test('random bodies to every method', async () => {
    const services = ['larder.v1.CacheService', 'larder.v1.AdminService', 'grpc.health.v1.Health'];
    const methods = services.flatMap((service) =>
      Object.keys(packageDefinition[service] ?? { Check: 0, Watch: 0 }).map((method) => `/${service}/${method}`),
    );
    const body = fc.oneof(
      bytes(300),
      bytes(300).map((content) => message(content.length, 0, content)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...methods), body, (path, content) =>
        path.endsWith('Watch') ? Promise.resolve() : request({ ':path': path }, content),
      ),
      { numRuns: 150 },
    );
  });
});

// Frames on a session, as bytes.

const same = (buffer: Buffer): Buffer => buffer;

/** Opens a session, sends the frames and awaits the reply to a last, fine operation, or the session's end. */
async function converse(client: Client, frames: readonly Buffer[]): Promise<'replied' | 'ended'> {
  const stream = client.makeBidiStreamRequest('/larder.v1.CacheService/Session', same, same);
  const writer = new SessionRequestWriter(1024);
  writer.hello(1, 'fuzz', 0);
  writer.open(0, 'plain');
  stream.write(writer.take());
  for (const frame of frames) stream.write(frame);
  writer.operation(LAST_ID, OperationKind.get, 0, Buffer.from('last'), 4, undefined, -1, 0);
  stream.write(writer.take());
  const verdict = await new Promise<'replied' | 'ended'>((resolve) => {
    stream.on('error', () => resolve('ended'));
    stream.on('end', () => resolve('ended'));
    stream.on('data', (frame: Buffer) => {
      if (hasReply(frame, LAST_ID)) resolve('replied');
    });
  });
  stream.cancel();
  return verdict;
}

const LAST_ID = 0xffffffff;
const reader = new SessionResponseReader();
function hasReply(frame: Buffer, id: number): boolean {
  reader.reset(frame);
  for (let item = reader.next(); item !== ResponseItem.end; item = reader.next()) {
    if (item === ResponseItem.reply && reader.id === id) return true;
  }
  return false;
}

const anyUint32 = fc.oneof(fc.nat(10), fc.integer({ min: 0, max: 0xfffffffe }));
const anyNumber = fc.oneof(fc.nat(10), fc.maxSafeNat());
/** Operations that the writer can write, with fields that no honest client would send. */
const oddOperation = fc.record({
  id: fc.integer({ min: 0, max: 1000 }),
  kind: fc.nat(127),
  cache: fc.oneof(fc.constant(0), anyUint32),
  key: bytes(5000),
  value: fc.option(bytes(3000), { nil: undefined }),
  ttlMs: fc.oneof(fc.constant(-1), anyNumber),
  timeoutMs: anyUint32,
});
const oddFrame = fc
  .record({
    operations: fc.array(oddOperation, { maxLength: 5 }),
    open: fc.array(fc.tuple(fc.nat(5000), fc.string({ unit: 'binary' })), { maxLength: 3 }),
  })
  .map(({ operations, open }) => {
    const writer = new SessionRequestWriter(1024);
    for (const [handle, name] of open) writer.open(handle, name);
    for (const { id, kind, cache, key, value, ttlMs, timeoutMs } of operations) {
      writer.operation(id, kind, cache, key, key.length, value, ttlMs, timeoutMs);
    }
    return writer.take();
  });
const mutatedFrame = fc
  .tuple(oddFrame, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }), fc.nat())
  .map(([frame, changes, cut]) => {
    for (const [at, byte] of changes) if (frame.length > 0) frame[at % frame.length] = byte;
    return cut % 4 === 0 ? frame.subarray(0, cut % (frame.length + 1)) : frame;
  });

describe('on a session', () => {
  let client: Client;
  beforeAll(() => {
    client = new Client(address, credentials.createInsecure());
  });
  afterAll(() => client.close());

  test('frames with odd fields are answered one by one', async () => {
    const verdicts = { replied: 0, ended: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(oddFrame, { maxLength: 4 }), async (frames) => {
        verdicts[await converse(client, frames)]++;
      }),
      { numRuns: 150 },
    );
    expect(verdicts.replied).toBeGreaterThan(0);
  });

  test('mutated frames and random bytes are refused or answered', async () => {
    const verdicts = { replied: 0, ended: 0 };
    const frame = fc.oneof(mutatedFrame, bytes(500));
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 4 }), async (frames) => {
        verdicts[await converse(client, frames)]++;
      }),
      { numRuns: 300 },
    );
    expect(verdicts.ended).toBeGreaterThan(0);
  });
});

describe('on bulk', () => {
  const operation = fc.record(
    { id: fc.nat(3), kind: fc.nat(8), cache: fc.nat(3), key: bytes(20), ttlMs: anyNumber, timeoutMs: fc.nat(100) },
    { requiredKeys: ['kind', 'key'] },
  );
  const bulkRequest = fc.record(
    {
      transfer: fc.nat(3),
      operation,
      cacheName: fc.constantFrom('plain', 'plain', 'other', ''),
      valueBytes: fc.oneof(fc.nat(300), fc.maxSafeNat()),
      chunk: bytes(200),
      cancel: fc.boolean(),
    },
    { requiredKeys: ['transfer'] },
  );

  test('requests of any kind in any order', async () => {
    const client = new GeneratedClient(address);
    await fc.assert(
      fc.asyncProperty(fc.array(bulkRequest, { maxLength: 20 }), async (requests) => {
        const stream = client.open('Bulk');
        for (const each of requests) stream.send(each);
        stream.send({ transfer: 99 });
        // The answers before it are whatever they are; the last one says that transfer 99 is not open.
        let response: Message;
        do response = await stream.next();
        while (response.transfer !== 99);
        expect(response.reply.failure.message).toBe('transfer 99 is not open on this stream');
        stream.cancel();
      }),
      { numRuns: 100 },
    );
    client.close();
  });
});
