import type { MessageTypeDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ERROR_CODES, errorCodeNumber, LarderError } from '../errors.js';
import { PARTITION_COUNT } from '../limits.js';
import { packageDefinition } from '../service.js';
import { RequestItem, SessionRequestReader, SessionRequestWriter, TTL_DEFAULT } from './session-request.js';
import {
  errorToFailure,
  ResponseItem,
  SessionResponseReader,
  SessionResponseWriter,
  TTL_NONE,
} from './session-response.js';

// Our codec of the session against the one that protobufjs generates from the .proto, in both directions.

const generatedRequest = packageDefinition['larder.v1.SessionRequest'] as MessageTypeDefinition<object, RawRequest>;
const generatedResponse = packageDefinition['larder.v1.SessionResponse'] as MessageTypeDefinition<object, RawResponse>;

interface RawOperation {
  id: number;
  kind: number;
  cache: number;
  key: Buffer;
  value: Buffer;
  ttlMs?: number;
  timeoutMs: number;
}
interface RawRequest {
  operations: RawOperation[];
  open: { handle: number; name: string }[];
  hello: { protocol: number; clientName: string; defaultTimeoutMs: number } | null;
}
interface RawResponse {
  replies: Record<string, unknown>[];
  view: { version: number; nodes: { id: string; address: string }[]; owners: number[] } | null;
}

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const uint53 = fc.maxSafeNat();
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const operation = fc.record({
  id: uint32,
  kind: fc.integer({ min: 1, max: 6 }),
  cache: fc.integer({ min: 0, max: 4095 }),
  key: bytes,
  value: fc.option(bytes, { nil: undefined }),
  ttlMs: fc.option(uint53, { nil: TTL_DEFAULT }),
  timeoutMs: uint32,
});
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never;
const open = fc.record({ handle: fc.integer({ min: 0, max: 4095 }), name: fc.string({ unit: 'grapheme' }) });
const hello = fc.record({ protocol: uint32, clientName: fc.string({ unit: 'grapheme' }), defaultTimeoutMs: uint32 });

/** What our reader finds in a frame, in the shape of the generated codec's objects. */
function readRequest(frame: Buffer): RawRequest {
  const reader = new SessionRequestReader();
  reader.reset(frame);
  const request: RawRequest = { operations: [], open: [], hello: null };
  for (let item = reader.next(); item !== RequestItem.end; item = reader.next()) {
    if (item === RequestItem.open) request.open.push({ handle: reader.cache, name: reader.name });
    else if (item === RequestItem.hello) {
      request.hello = { protocol: reader.protocol, clientName: reader.name, defaultTimeoutMs: reader.timeoutMs };
    } else request.operations.push(readOperation(reader));
  }
  return request;
}

function readOperation(reader: SessionRequestReader): RawOperation {
  const { id, kind, cache, timeoutMs } = reader;
  const key = Buffer.from(reader.bytes.subarray(reader.keyStart, reader.keyEnd));
  const value = Buffer.from(reader.bytes.subarray(reader.valueStart, reader.valueEnd));
  return { id, kind, cache, key, value, timeoutMs, ...(reader.ttlMs === TTL_DEFAULT ? {} : { ttlMs: reader.ttlMs }) };
}

function expectedOperation({ ttlMs, value, ...rest }: Operation): RawOperation {
  return { ...rest, value: value ?? Buffer.alloc(0), ...(ttlMs === TTL_DEFAULT ? {} : { ttlMs }) };
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

test('the generated codec reads the requests that ours writes', () => {
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 20 }),
      fc.array(open),
      fc.option(hello),
      (operations, opens, greeting) => {
        const writer = new SessionRequestWriter(64);
        if (greeting) writer.hello(greeting.protocol, greeting.clientName, greeting.defaultTimeoutMs);
        for (const { handle, name } of opens) writer.open(handle, name);
        for (const { id, kind, cache, key, value, ttlMs, timeoutMs } of operations) {
          writer.operation(id, kind, cache, key, key.length, value, ttlMs, timeoutMs);
        }
        const expected = { operations: operations.map(expectedOperation), open: opens, hello: greeting };
        expect(plain(generatedRequest.deserialize(writer.take()))).toEqual(expected);
      },
    ),
  );
});

test('our codec reads the requests that the generated one writes', () => {
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 20 }),
      fc.array(open),
      fc.option(hello),
      (operations, opens, greeting) => {
        const request = { operations: operations.map(expectedOperation), open: opens, hello: greeting };
        expect(readRequest(generatedRequest.serialize(request))).toEqual(request);
      },
    ),
  );
});

// Fields as they may come from any codec: in any order, with fields of a later version between them.

const varint = (value: number): Buffer => {
  const digits: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) digits.push((rest % 128) | 0x80);
  return Buffer.from([...digits, rest]);
};
const numberField = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)]);
const bytesField = (field: number, value: Uint8Array): Buffer =>
  Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
const unknownField = fc.oneof(
  fc.tuple(fc.integer({ min: 100, max: 5000 }), uint53).map(([field, value]) => numberField(field, value)),
  fc.tuple(fc.integer({ min: 100, max: 5000 }), bytes).map(([field, value]) => bytesField(field, value)),
  fc.integer({ min: 100, max: 5000 }).map((field) => Buffer.concat([varint(field * 8 + 1), Buffer.alloc(8, 7)])),
  fc.integer({ min: 100, max: 5000 }).map((field) => Buffer.concat([varint(field * 8 + 5), Buffer.alloc(4, 7)])),
);

const scrambledOperation = fc.tuple(operation, fc.array(unknownField, { maxLength: 4 })).chain(([fields, unknown]) => {
  const parts = [
    numberField(1, fields.id),
    numberField(2, fields.kind),
    numberField(3, fields.cache),
    bytesField(4, fields.key),
    ...(fields.value ? [bytesField(5, fields.value)] : []),
    ...(fields.ttlMs === TTL_DEFAULT ? [] : [numberField(6, fields.ttlMs)]),
    numberField(7, fields.timeoutMs),
    ...unknown,
  ];
  const order = fc.shuffledSubarray(parts, { minLength: parts.length });
  return order.map((shuffled) => ({ fields, frame: bytesField(1, Buffer.concat(shuffled)) }));
});

test('fields may come in any order, and unknown ones are passed over', () => {
  fc.assert(
    fc.property(fc.array(scrambledOperation, { maxLength: 5 }), fc.array(unknownField), (operations, unknown) => {
      const frame = Buffer.concat([...unknown, ...operations.flatMap((item) => [item.frame, ...unknown])]);
      const expected = operations.map((item) => expectedOperation(item.fields));
      expect(readRequest(frame).operations).toEqual(expected);
      expect((plain(generatedRequest.deserialize(frame)) as RawRequest).operations).toEqual(expected);
    }),
  );
});

test('any bytes end in a request or in BAD_ARGUMENT', () => {
  const mutated = fc
    .tuple(scrambledOperation, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }))
    .map(([{ frame }, changes]) => {
      for (const [at, byte] of changes) frame[at % frame.length] = byte;
      return frame;
    });
  const anything = fc.oneof(bytes, mutated);
  fc.assert(
    fc.property(anything, (frame) => {
      try {
        readRequest(frame);
      } catch (error) {
        expect(error).toBeInstanceOf(LarderError);
        expect((error as LarderError).code).toBe('BAD_ARGUMENT');
      }
    }),
    { numRuns: 2000 },
  );
});

// Replies.

const life = fc.option(uint53, { nil: TTL_NONE });
const metadata = { epoch: uint32, seq: uint53, ttlMs: life };
const failure = fc.record({
  code: fc.constantFrom(...ERROR_CODES),
  reason: fc.string({ unit: 'grapheme' }),
  outcome: fc.constantFrom(undefined, 'not-applied' as const, 'unknown' as const),
  viewVersion: fc.option(fc.integer({ min: 1, max: 2 ** 40 }), { nil: undefined }),
});
const reply = fc.oneof(
  fc.record({ type: fc.constant('miss' as const), id: uint32 }),
  fc.record({ type: fc.constant('hit' as const), id: uint32, value: bytes, stale: fc.boolean() }),
  fc.record({ type: fc.constant('entry' as const), id: uint32, value: bytes, stale: fc.boolean(), ...metadata }),
  fc.record({ type: fc.constant('bulk' as const), id: uint32, valueBytes: uint53, ...metadata }),
  fc.record({ type: fc.constant('peeked' as const), id: uint32, ...metadata }),
  fc.record({ type: fc.constant('written' as const), id: uint32, epoch: uint32, seq: uint53, copies: fc.nat(3) }),
  fc.record({ type: fc.constant('found' as const), id: uint32, found: fc.boolean() }),
  fc.record({ type: fc.constant('failed' as const), id: uint32, failure }),
);
type TestReply = typeof reply extends fc.Arbitrary<infer Value> ? Value : never;

type TestReplyOf<Type extends TestReply['type']> = Extract<TestReply, { type: Type }>;
const WRITE: { [Type in TestReply['type']]: (writer: SessionResponseWriter, item: TestReplyOf<Type>) => void } = {
  miss: (writer, { id }) => writer.miss(id),
  hit: (writer, { id, value, stale }) => {
    const at = writer.hit(id, value.length, stale);
    value.copy(writer.bytes, at);
  },
  entry: (writer, { id, value, stale, epoch, seq, ttlMs }) => {
    const at = writer.entry(id, value.length, stale, epoch, seq, ttlMs);
    value.copy(writer.bytes, at);
  },
  bulk: (writer, { id, valueBytes, epoch, seq, ttlMs }) => writer.bulk(id, valueBytes, epoch, seq, ttlMs),
  peeked: (writer, { id, epoch, seq, ttlMs }) => writer.peeked(id, epoch, seq, ttlMs),
  written: (writer, { id, epoch, seq, copies }) => writer.written(id, epoch, seq, copies),
  found: (writer, { id, found }) => writer.found(id, found),
  failed: (writer, { id, failure: failed }) => writer.failed(id, errorOf(failed)),
};

function writeReply<Type extends TestReply['type']>(writer: SessionResponseWriter, item: TestReplyOf<Type>): void {
  const { type } = item as { type: Type };
  WRITE[type](writer, item);
}

function errorOf({ code, reason, outcome, viewVersion }: TestReplyOf<'failed'>['failure']): LarderError {
  return new LarderError(code, reason, { outcome, details: viewVersion === undefined ? undefined : { viewVersion } });
}

/** The reply as the generated codec shows it. */
function expectedReply(item: TestReply): Record<string, unknown> {
  const shown: Record<string, unknown> = {
    id: item.id,
    epoch: 'epoch' in item ? item.epoch : 0,
    seq: 'seq' in item ? item.seq : 0,
    found: item.type === 'peeked' || (item.type === 'found' && item.found),
    stale: 'stale' in item && item.stale,
    copies: item.type === 'written' ? item.copies : 0,
    bulkBytes: item.type === 'bulk' ? item.valueBytes : 0,
    failure: item.type === 'failed' ? expectedFailure(item.failure) : null,
  };
  if ('value' in item) shown.value = item.value;
  if ('ttlMs' in item && item.ttlMs !== TTL_NONE) shown.ttlMs = item.ttlMs;
  return shown;
}

function expectedFailure({ code, reason, outcome, viewVersion }: TestReplyOf<'failed'>['failure']): object {
  const outcomeNumber = outcome === undefined ? 0 : outcome === 'not-applied' ? 1 : 2;
  return { code: errorCodeNumber(code), message: reason, outcome: outcomeNumber, viewVersion: viewVersion ?? 0 };
}

/** The reply that our reader found last, in the same shape. */
function readReply(reader: SessionResponseReader): Record<string, unknown> {
  const { id, epoch, seq, found, bulkBytes, stale, copies, failure } = reader;
  const shown: Record<string, unknown> = { id, epoch, seq, found, bulkBytes, stale, copies };
  shown.failure = failure ? errorToFailure(failure) : null;
  if (reader.hasValue) shown.value = Buffer.from(reader.bytes.subarray(reader.valueStart, reader.valueEnd));
  if (reader.ttlMs !== TTL_NONE) shown.ttlMs = reader.ttlMs;
  return shown;
}

function readResponse(frame: Buffer): Record<string, unknown>[] {
  const reader = new SessionResponseReader();
  reader.reset(frame);
  const replies: Record<string, unknown>[] = [];
  for (let item = reader.next(); item !== ResponseItem.end; item = reader.next()) {
    if (item === ResponseItem.reply) replies.push(readReply(reader));
  }
  return replies;
}

test('the generated codec and ours read the replies that ours writes', () => {
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 20 }), (replies) => {
      const writer = new SessionResponseWriter(64);
      for (const item of replies) writeReply(writer, item);
      const frame = writer.take();
      const expected = replies.map(expectedReply);
      expect((plain(generatedResponse.deserialize(frame)) as RawResponse).replies).toEqual(expected);
      expect(readResponse(frame)).toEqual(expected);
    }),
  );
});

test('our codec reads the replies that the generated one writes', () => {
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 20 }), (replies) => {
      const expected = replies.map(expectedReply);
      expect(readResponse(generatedResponse.serialize({ replies: expected }))).toEqual(expected);
    }),
  );
});

const view = fc
  .array(fc.record({ id: fc.string(), address: fc.string() }), { minLength: 1, maxLength: 5 })
  .chain((nodes) =>
    fc.record({
      version: uint53,
      nodes: fc.constant(nodes),
      owners: fc.array(fc.nat(nodes.length - 1), { minLength: PARTITION_COUNT, maxLength: PARTITION_COUNT }),
    }),
  );

test('a view passes between the two codecs in both directions', () => {
  fc.assert(
    fc.property(view, (raw) => {
      const writer = new SessionResponseWriter(64);
      writer.view({ ...raw, owners: Uint16Array.from(raw.owners) });
      expect(generatedResponse.deserialize(writer.take()).view).toEqual(raw);

      const reader = new SessionResponseReader();
      reader.reset(generatedResponse.serialize({ view: raw }));
      expect(reader.next()).toBe(ResponseItem.view);
      expect(reader.view).toEqual({ ...raw, owners: Uint16Array.from(raw.owners) });
    }),
    { numRuns: 30 },
  );
});

test.each([
  ['too few partitions', { version: 1, nodes: [{ id: 'n1', address: 'a:1' }], owners: [0] }],
  ['an owner that is not among the nodes', { version: 1, nodes: [], owners: new Array(PARTITION_COUNT).fill(0) }],
])('a view with %s is refused', (_name, raw) => {
  const reader = new SessionResponseReader();
  reader.reset(generatedResponse.serialize({ view: raw }));
  expect(() => reader.next()).toThrow('malformed frame');
});
