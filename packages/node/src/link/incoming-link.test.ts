import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import {
  type LarderError,
  LINK_FRAME_BYTES_MAX,
  PeerFrameWriter,
  type PeerIdentity,
  PeerMessageFields,
  PeerMessageKind,
  packed,
  peerHead,
  peerService,
  readGreeting,
} from '@larder/proto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EnvelopeReader } from './envelope-reader.js';
import { fromStatus, identity, LinkChannel } from './link-channel.js';
import { TestPeer } from './testing/test-peer.js';

// What a node does with a link on which somebody says what no node would say.

const SENDER: PeerIdentity = {
  protocol: 1,
  partitionCount: 1024,
  cluster: '',
  node: 'n9',
  incarnation: '9'.repeat(32),
  address: '127.0.0.1:1',
};

interface Content {
  readonly fields?: Partial<PeerMessageFields>;
  readonly record?: object;
  readonly request?: object;
}

function frameOf(content: Content = {}, sender: Partial<PeerIdentity> = {}, receiver = 'n1'): Buffer {
  const writer = new PeerFrameWriter(256);
  writer.begin(peerHead({ ...SENDER, ...sender }, receiver, 1));
  const fields = Object.assign(new PeerMessageFields(), { kind: PeerMessageKind.heartbeat, monotonicMs: 1 });
  Object.assign(fields, content.fields);
  const version = { epoch: 1, seq: 1 };
  const record = { ...version, cache: 0, ...packed(Buffer.from('k'), undefined), ttlMs: 0, flags: 0, result: 0 };
  const records = content.record ? [{ ...record, request: undefined, ...content.record }] : [];
  const request = { ...version, client: 1, number: 1, settledBelow: 1, result: 0 };
  const requests = content.request ? [{ ...request, ...content.request }] : [];
  writer.peerMessage(writer.measure(fields, records, requests), fields, records, requests);
  return writer.take();
}

let node: TestPeer;
const channels: LinkChannel[] = [];
beforeEach(async () => {
  node = await TestPeer.start('n1');
});
afterEach(async () => {
  for (const channel of channels.splice(0)) channel.close();
  await node.close();
});

/** A stream of a stranger's to the node, once that has greeted. */
async function openStream(): Promise<{ stream: ClientDuplexStream<Buffer, Buffer>; ended: Promise<LarderError> }> {
  const channel = new LinkChannel(node.address);
  channels.push(channel);
  const stream = channel.client.makeBidiStreamRequest<Buffer, Buffer>(peerService.Link!.path, identity, identity);
  const ended = new Promise<LarderError>((resolve) => {
    stream.on('error', (error: ServiceError) => resolve(fromStatus(error, 'the node')));
  });
  const greeting = await new Promise<Buffer>((resolve) => stream.once('data', resolve));
  expect(readGreeting(greeting)).toEqual({
    peer: expect.objectContaining({ protocol: 1, partitionCount: 1024, node: 'n1', address: node.address }),
    settings: { caches: [], copies: 2 },
  });
  stream.on('data', () => {});
  return { stream, ended };
}

async function refusalOf(...frames: readonly Buffer[]): Promise<string> {
  const { stream, ended } = await openStream();
  for (const frame of frames) stream.write(frame);
  return (await ended).message;
}

describe('an incoming link', () => {
  it.each<[string, Buffer]>([
    ['INCOMPATIBLE: it speaks protocol 2; node n1 speaks 1', frameOf({}, { protocol: 2 })],
    ['INCOMPATIBLE: it has 16 partitions; node n1 was built for 1024', frameOf({}, { partitionCount: 16 })],
    ['INCOMPATIBLE: node n2 is meant; this is node n1', frameOf({}, {}, 'n2')],
    ['INCOMPATIBLE: node n1 at 127.0.0.1:1 has the id of this node', frameOf({}, { node: 'n1' })],
    ['BAD_ARGUMENT: not a node of Larder: its id has 0 bytes; allowed are 1 to 128', frameOf({}, { node: '' })],
    ['BAD_ARGUMENT: not a node of Larder: its incarnation is not 128 bits', frameOf({}, { incarnation: 'abc' })],
    ['BAD_ARGUMENT: not a node of Larder: its cluster is not 128 bits', frameOf({}, { cluster: 'mine' })],
    ['BAD_ARGUMENT: not a node of Larder: its address is not host:port', frameOf({}, { address: 'unix:/tmp/a' })],
    ['BAD_ARGUMENT: malformed frame: a frame without sender at byte 0', Buffer.alloc(0)],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: a message of kind 77; this node knows 1 to 10',
      frameOf({ fields: { kind: 77 } }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: partition 1024; allowed are 0 to 1023',
      frameOf({ fields: { kind: PeerMessageKind.acknowledge, partition: 1024 } }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: epoch 4194304; allowed are 0 to 4194303',
      frameOf({ fields: { kind: PeerMessageKind.replicate, epoch: 2 ** 22 } }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: epoch 4194304; allowed are 0 to 4194303',
      frameOf({ fields: { kind: PeerMessageKind.replicate }, record: { epoch: 2 ** 22 } }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: seq 4398046511104; allowed are 0 to 4398046511103',
      frameOf({ fields: { kind: PeerMessageKind.sync, attempt: 1 }, request: { seq: 2 ** 42 } }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: cache 4096; allowed are 0 to 4095',
      frameOf({ fields: { kind: PeerMessageKind.replicate }, record: { cache: 4096 } }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: a key of 0 bytes; allowed are 1 to 4096',
      frameOf({ fields: { kind: PeerMessageKind.replicate }, record: packed(Buffer.alloc(0), undefined) }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: flags 33; allowed are 0 to 31 and 32',
      frameOf({ fields: { kind: PeerMessageKind.replicate }, record: { flags: 33 } }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: a record with malformed tags',
      frameOf({
        fields: { kind: PeerMessageKind.replicate },
        record: { flags: 16, ...packed(Buffer.from('k'), Buffer.from([1, 2, 3])) },
      }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: a record with malformed tags',
      frameOf({
        fields: { kind: PeerMessageKind.replicate },
        record: { flags: 32, ...packed(Buffer.from('k'), Buffer.alloc(7)) },
      }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: a remaining life of 2199023255552 ms; allowed are 1099511627776',
      frameOf({ fields: { kind: PeerMessageKind.replicate }, record: { ttlMs: 2 ** 41 } }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: a snapshot without attempt',
      frameOf({ fields: { kind: PeerMessageKind.sync } }),
    ],
    [
      'BAD_ARGUMENT: what a node sent cannot be taken: 0 records to be cleaned; allowed is 1',
      frameOf({ fields: { kind: PeerMessageKind.clean } }),
    ],
    [
      `BAD_ARGUMENT: what a node sent cannot be taken: a frame of ${LINK_FRAME_BYTES_MAX + 1} bytes; allowed are ${LINK_FRAME_BYTES_MAX}`,
      Buffer.alloc(LINK_FRAME_BYTES_MAX + 1),
    ],
  ])('ends with %s', async (message, frame) => {
    expect(await refusalOf(frame)).toBe(message);
    expect(node.refusals.map(({ error }) => error.message)).toEqual([message]);
    expect(node.messages).toEqual([]);
  });

  it('ends when its cluster is not the one of the node', async () => {
    node.cluster = 'c'.repeat(32);
    const { stream, ended } = await openStream();
    stream.write(frameOf());
    await node.until(() => node.messages.length === 1);
    stream.write(frameOf({}, { cluster: 'd'.repeat(32) }));
    expect((await ended).message).toBe(
      `INCOMPATIBLE: it belongs to cluster ${'d'.repeat(32)}, node n1 to ${'c'.repeat(32)}`,
    );
  });

  const part = (bytes: number): Buffer => {
    const writer = new PeerFrameWriter(256);
    writer.begin(peerHead(SENDER, 'n1', 1));
    writer.part(Buffer.alloc(bytes), false);
    return writer.take();
  };

  it('ends when a message in parts has an empty one, too many, or too many bytes', async () => {
    expect(await refusalOf(part(0))).toMatch(/an empty part of a message$/);
    expect(await refusalOf(...Array.from({ length: 1_025 }, () => part(1)))).toMatch(
      /a message of more than 1024 parts$/,
    );
    const reader = new EnvelopeReader(1024);
    expect(() => {
      for (let count = 0; count <= 80; count++) reader.open(part(LINK_FRAME_BYTES_MAX - 500));
      for (let count = 0; count <= 80; count++) reader.open(part(500));
    }).toThrow('BAD_ARGUMENT: what a node sent cannot be taken: a message of more than 83886080 bytes');
  });

  it('tells of a refusal once per peer and reason, however often it comes', async () => {
    for (let count = 0; count < 3; count++) {
      await refusalOf(frameOf({}, { protocol: 2 }));
      await refusalOf(frameOf({}, { protocol: 3 + count }));
      await refusalOf(frameOf(), frameOf({}, {}, 'n2'));
    }
    expect(node.refusals.map(({ node: peer, error }) => `${peer} ${error.code}`)).toEqual([
      '127.0.0.1 INCOMPATIBLE',
      'node n9 INCOMPATIBLE',
    ]);
  });

  it('takes a replayed frame as often as it comes: what that means is not for the link to say', async () => {
    const { stream } = await openStream();
    for (let count = 0; count < 3; count++) stream.write(frameOf());
    await node.until(() => node.messages.length === 3);
    expect(node.refusals).toEqual([]);
  });

  it('takes what it can of random bytes, cut frames and forged lengths, and the node lives on', async () => {
    const good = frameOf({ fields: { kind: PeerMessageKind.sync, attempt: 1 }, record: { cache: 1 }, request: {} });
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    const mutated = fc.tuple(changes, fc.nat(40)).map(([changed, cut]) => {
      const frame = Buffer.from(good.subarray(0, good.length - cut));
      for (const [at, byte] of changed) frame[at % frame.length] = byte;
      return frame;
    });
    const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(random, mutated), { minLength: 1, maxLength: 5 }), async (frames) => {
        const { stream, ended } = await openStream();
        for (const frame of frames) stream.write(frame);
        stream.end();
        const over = new Promise<undefined>((resolve) => stream.once('end', () => resolve(undefined)));
        const error = await Promise.race([ended, over]);
        for (const channel of channels.splice(0)) channel.close();
        if (error === undefined) return;
        refused++;
        expect(['BAD_ARGUMENT', 'INCOMPATIBLE']).toContain(error.code);
      }),
      { numRuns: 150 },
    );
    expect(refused).toBeGreaterThan(50);
    const { stream } = await openStream();
    const before = node.messages.length;
    stream.write(frameOf());
    await node.until(() => node.messages.length === before + 1);
  });
});

it('any bytes end in envelopes or in an error of ours', () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 3 }), (frames) => {
      const reader = new EnvelopeReader(1024);
      try {
        for (const frame of frames) {
          reader.open(frame);
          while (reader.next() !== undefined) {}
        }
      } catch (error) {
        expect((error as LarderError).code).toBe('BAD_ARGUMENT');
      }
    }),
    { numRuns: 2_000 },
  );
});
