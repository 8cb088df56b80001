import type { MessageTypeDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LarderError } from '../errors.js';
import { packageDefinition } from '../service.js';
import { PeerFrameReader } from './peer-frame-reader.js';
import { NO_ATTEMPT, PeerFrameWriter, PeerMessageFields, peerHead } from './peer-frame-writer.js';
import { type PeerIdentity, peerGreeting, readGreeting } from './peer-identity.js';
import { type PeerRecord, type PeerRequest, packed, packedKey, packedValue } from './peer-record.js';

// Our codec of a link against the one that protobufjs generates from the .proto, in both directions.

const generated = packageDefinition['larder.v1.LinkRequest'] as MessageTypeDefinition<object, RawFrame>;
const generatedResponse = packageDefinition['larder.v1.LinkResponse'] as MessageTypeDefinition<object, object>;

type RawMessage = Record<string, unknown>;
interface RawFrame {
  sender: PeerIdentity | null;
  receiver: string;
  viewVersion: number;
  messages: RawMessage[];
  part: Buffer;
  lastPart: boolean;
}

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const uint53 = fc.maxSafeNat();
const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value));
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const peer = fc.record({
  protocol: uint32,
  partitionCount: uint32,
  cluster: text,
  node: text,
  incarnation: text,
  address: text,
});
const requestId = fc.record({ client: uint53, number: uint53, settledBelow: uint53 });
const parts = fc.record({
  epoch: uint32,
  seq: uint53,
  cache: uint32,
  key: bytes,
  value: fc.option(bytes, { nil: undefined }),
  ttlMs: uint53,
  flags: uint32,
  request: fc.option(requestId, { nil: undefined }),
  result: double,
});
const record: fc.Arbitrary<PeerRecord> = parts.map(({ key, value, ...rest }) => ({ ...rest, ...packed(key, value) }));
const request: fc.Arbitrary<PeerRequest> = fc.record({
  client: uint53,
  number: uint53,
  settledBelow: uint53,
  seq: uint53,
  epoch: uint32,
  result: double,
});
const message = fc.record({
  kind: fc.integer({ min: 1, max: 10 }),
  partition: uint32,
  epoch: uint32,
  copy: uint32,
  seq: uint53,
  attempt: fc.oneof(uint53, fc.constant(NO_ATTEMPT)),
  chunk: uint32,
  last: fc.boolean(),
  monotonicMs: double,
  wallMs: double,
  document: fc.option(
    bytes.filter(({ length }) => length > 0),
    { nil: undefined },
  ),
  records: fc.array(record, { maxLength: 8 }),
  requests: fc.array(request, { maxLength: 4 }),
});
type Message = typeof message extends fc.Arbitrary<infer Value> ? Value : never;
const frame = fc.record({
  sender: peer,
  receiver: text,
  viewVersion: uint53,
  messages: fc.array(message, { maxLength: 6 }),
});
type Frame = typeof frame extends fc.Arbitrary<infer Value> ? Value : never;

function write({ sender, receiver, viewVersion, messages }: Frame): Buffer {
  const writer = new PeerFrameWriter(64);
  writer.begin(peerHead(sender, receiver, viewVersion));
  for (const { records, requests, ...values } of messages) {
    const fields = Object.assign(new PeerMessageFields(), values);
    const length = writer.measure(fields, records, requests);
    const before = writer.at;
    writer.peerMessage(length, fields, records, requests);
    expect(writer.at - before).toBeGreaterThan(length);
  }
  return writer.take();
}

/** What our reader finds, in the shape of the generated codec's objects. */
function read(bytesOfFrame: Buffer): RawFrame {
  const reader = new PeerFrameReader();
  reader.open(bytesOfFrame);
  const sender = reader.sender();
  const { receiver, viewVersion, isLastPart } = reader;
  const part = Buffer.from(reader.bytes.subarray(reader.partStart, reader.partEnd));
  const messages: RawMessage[] = [];
  while (reader.next()) messages.push(readMessage(reader));
  return { sender, receiver, viewVersion, messages, part, lastPart: isLastPart };
}

function readMessage(reader: PeerFrameReader): RawMessage {
  const { kind, partition, epoch, copy, seq, attempt, chunk, last, monotonicMs, wallMs } = reader;
  const shown: RawMessage = { kind, partition, epoch, copy, seq, chunk, last, monotonicMs, wallMs };
  if (attempt !== NO_ATTEMPT) shown.attempt = attempt;
  shown.document = Buffer.from(reader.bytes.subarray(reader.documentStart, reader.documentEnd));
  const { recordCount, requestCount } = reader;
  const records: object[] = [];
  while (reader.nextRecord()) records.push(readRecord(reader));
  const requests: object[] = [];
  while (reader.nextRequest()) requests.push(readRequest(reader));
  expect([recordCount, requestCount]).toEqual([records.length, requests.length]);
  return { ...shown, records, requests };
}

function readRecord(reader: PeerFrameReader): object {
  const { recordEpoch: epoch, recordSeq: seq, cache, ttlMs, flags, number, settledBelow, result } = reader;
  const key = Buffer.from(reader.bytes.subarray(reader.keyStart, reader.keyEnd));
  const value = Buffer.from(reader.bytes.subarray(reader.valueStart, reader.valueEnd));
  return {
    ...{ epoch, seq, cache, key, ttlMs, flags, number, settledBelow, result },
    ...(reader.hasValue ? { value } : {}),
    ...(reader.hasClient ? { client: reader.client } : {}),
  };
}

function readRequest(reader: PeerFrameReader): object {
  const { client, number, settledBelow, recordSeq: seq, recordEpoch: epoch, result } = reader;
  return { client, number, settledBelow, seq, epoch, result };
}

function expected({ messages, ...head }: Frame): RawFrame {
  return { ...head, messages: messages.map(expectedMessage), part: Buffer.alloc(0), lastPart: false };
}

function expectedMessage({ attempt, document, records, ...rest }: Message): RawMessage {
  return {
    ...rest,
    ...(attempt === NO_ATTEMPT ? {} : { attempt }),
    document: document ?? Buffer.alloc(0),
    records: records.map((record) => {
      const { epoch, seq, cache, ttlMs, flags, result, request: id } = record;
      const value = packedValue(record);
      return {
        ...{ epoch, seq, cache, key: Buffer.from(packedKey(record)), ttlMs, flags, result },
        ...(value === undefined ? {} : { value: Buffer.from(value) }),
        ...(id ?? { number: 0, settledBelow: 0 }),
      };
    }),
  };
}

/** Without the names of oneofs, which the generated codec adds for optional fields. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !name.startsWith('_'))
      .map(([name, inner]) => [name, plain(inner)]),
  );
}

test('the generated codec and ours read the frames that ours writes', () => {
  fc.assert(
    fc.property(frame, (given) => {
      const written = write(given);
      expect(plain(generated.deserialize(written))).toEqual(expected(given));
      expect(read(written)).toEqual(expected(given));
    }),
  );
});

test('our codec reads the frames that the generated one writes', () => {
  fc.assert(
    fc.property(frame, (given) => {
      expect(read(generated.serialize(expected(given)))).toEqual(expected(given));
    }),
  );
});

test('the head of a frame may stand behind its messages', () => {
  fc.assert(
    fc.property(frame, (given) => {
      const messages = generated.serialize({ messages: expected(given).messages });
      const written = Buffer.concat([messages, peerHead(given.sender, given.receiver, given.viewVersion)]);
      expect(read(written)).toEqual(expected(given));
    }),
  );
});

test('the part of a message passes between the two codecs in both directions', () => {
  fc.assert(
    fc.property(peer, bytes, fc.boolean(), (sender, part, lastPart) => {
      const writer = new PeerFrameWriter(64);
      writer.begin(peerHead(sender, 'n2', 3));
      writer.part(part, lastPart);
      const given = { sender, receiver: 'n2', viewVersion: 3, messages: [], part, lastPart };
      expect(plain(generated.deserialize(writer.take()))).toEqual(given);
      expect(read(generated.serialize(given))).toEqual(given);
    }),
  );
});

test('a message that was put together from parts is the message that was cut', () => {
  fc.assert(
    fc.property(message, ({ records, requests, ...values }) => {
      const fields = Object.assign(new PeerMessageFields(), values);
      const writer = new PeerFrameWriter(64);
      const length = writer.measure(fields, records, requests);
      writer.bare(length, fields, records, requests);
      expect(writer.at).toBe(length);
      const reader = new PeerFrameReader();
      reader.openMessage(writer.take());
      expect(readMessage(reader)).toEqual(expectedMessage({ records, requests, ...values }));
    }),
  );
});

test('a remaining life with a fraction is rounded up, since 0 is endless', () => {
  const writer = new PeerFrameWriter(64);
  const fields = new PeerMessageFields();
  const life = { epoch: 1, seq: 1, cache: 0, ...packed(Buffer.from('k'), Buffer.from('v')), flags: 0, result: 0 };
  const records = [{ ...life, ttlMs: 0.2, request: undefined }];
  writer.bare(writer.measure(fields, records, undefined), fields, records, undefined);
  const reader = new PeerFrameReader();
  reader.openMessage(writer.take());
  expect(reader.nextRecord()).toBe(true);
  expect(reader.ttlMs).toBe(1);
});

test('a greeting passes between the two codecs in both directions', () => {
  fc.assert(
    fc.property(peer, fc.array(fc.string()), uint32, (receiver, caches, copies) => {
      const greeting = { peer: receiver, settings: { caches, copies } };
      const wire = { receiver, caches, copies };
      expect(plain(generatedResponse.deserialize(peerGreeting(greeting)))).toEqual(wire);
      expect(readGreeting(generatedResponse.serialize(wire))).toEqual(greeting);
    }),
  );
  expect(readGreeting(Buffer.alloc(0))).toBeUndefined();
});

test('any bytes end in a frame or in BAD_ARGUMENT', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 });
  const mutated = fc.tuple(frame, changes, fc.nat(20)).map(([given, changed, cut]) => {
    const written = write(given);
    for (const [at, byte] of changed) written[at % written.length] = byte;
    return written.subarray(0, written.length - Math.min(cut, written.length));
  });
  fc.assert(
    fc.property(fc.oneof(bytes, mutated), (anything) => {
      for (const decode of [read, readGreeting]) {
        try {
          decode(anything);
        } catch (error) {
          expect(error).toBeInstanceOf(LarderError);
          expect((error as LarderError).code).toBe('BAD_ARGUMENT');
        }
      }
    }),
    { numRuns: 2000 },
  );
});
