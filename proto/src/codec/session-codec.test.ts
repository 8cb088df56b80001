import type { MessageTypeDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ERROR_CODES, errorCodeNumber, LarderError } from '../errors.js';
import { PARTITION_COUNT } from '../limits.js';
import { packageDefinition } from '../service.js';
import {
  Acknowledgement,
  ReadMode,
  RequestItem,
  SessionRequestReader,
  SessionRequestWriter,
  TTL_DEFAULT,
  WriteMode,
} from './session-request.js';
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
  request: number;
  retry: boolean;
  lost: number;
  ack: number;
  tags: string[];
  lease: boolean;
  fill: number;
  read: number;
  write: number;
}
interface RawRequest {
  operations: RawOperation[];
  open: { handle: number; name: string }[];
  hello: { protocol: number; clientName: string; defaultTimeoutMs: number; clientId: number } | null;
  settledBelow: number;
  viewVersion: number;
}
interface RawResponse {
  replies: Record<string, unknown>[];
  view: {
    version: number;
    nodes: { id: string; address: string }[];
    owners: number[];
    lost: number[];
    cluster: string;
  } | null;
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
  request: uint53,
  retry: fc.boolean(),
  lost: uint32,
  ack: fc.constantFrom<number>(...Object.values(Acknowledgement)),
  tags: fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 4 }),
  lease: fc.boolean(),
  fill: uint53,
  read: fc.constantFrom<number>(...Object.values(ReadMode)),
  write: fc.constantFrom<number>(...Object.values(WriteMode)),
});
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never;
const open = fc.record({ handle: fc.integer({ min: 0, max: 4095 }), name: fc.string({ unit: 'grapheme' }) });
const hello = fc.record({
  protocol: uint32,
  clientName: fc.string({ unit: 'grapheme' }),
  defaultTimeoutMs: uint32,
  clientId: uint53,
});
const request = fc.record({
  operations: fc.array(operation, { maxLength: 20 }),
  open: fc.array(open),
  hello: fc.option(hello),
  settledBelow: uint53,
  viewVersion: uint53,
});
type Request = typeof request extends fc.Arbitrary<infer Value> ? Value : never;

/** What our reader finds in a frame, in the shape of the generated codec's objects. */
function readRequest(frame: Buffer): RawRequest {
  const reader = new SessionRequestReader();
  reader.reset(frame);
  const request: RawRequest = { operations: [], open: [], hello: null, settledBelow: 0, viewVersion: 0 };
  for (let item = reader.next(); item !== RequestItem.end; item = reader.next()) {
    if (item === RequestItem.open) request.open.push({ handle: reader.cache, name: reader.name });
    else if (item === RequestItem.hello) {
      const { protocol, name, timeoutMs, clientId } = reader;
      request.hello = { protocol, clientName: name, defaultTimeoutMs: timeoutMs, clientId };
    } else request.operations.push(readOperation(reader));
  }
  request.settledBelow = reader.settledBelow;
  request.viewVersion = reader.viewVersion;
  return request;
}

function readOperation(reader: SessionRequestReader): RawOperation {
  const { id, kind, cache, timeoutMs, requestNumber, isRetry, lost, ack, lease, fill, read, write: mode } = reader;
  const tags = Array.from({ length: reader.tagCount }, (_, index) =>
    reader.bytes.toString('utf8', reader.tagStarts[index], reader.tagEnds[index]),
  );
  const write = { request: requestNumber, retry: isRetry, lost, ack, tags, lease, fill, read, write: mode };
  const key = Buffer.from(reader.bytes.subarray(reader.keyStart, reader.keyEnd));
  const value = Buffer.from(reader.bytes.subarray(reader.valueStart, reader.valueEnd));
  return {
    id,
    kind,
    cache,
    key,
    value,
    timeoutMs,
    ...write,
    ...(reader.ttlMs === TTL_DEFAULT ? {} : { ttlMs: reader.ttlMs }),
  };
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

/** The frame that our writer makes of it. */
function writeRequest({ operations, open: opens, hello: greeting, settledBelow, viewVersion }: Request): Buffer {
  const writer = new SessionRequestWriter(64);
  if (greeting) writer.hello(greeting.protocol, greeting.clientName, greeting.defaultTimeoutMs, greeting.clientId);
  if (settledBelow > 0) writer.settledBelow(settledBelow);
  if (viewVersion > 0) writer.viewVersion(viewVersion);
  for (const { handle, name } of opens) writer.open(handle, name);
  for (const { id, kind, cache, key, value, ttlMs, timeoutMs, ...write } of operations) {
    const { request: number, retry, lost, ack, ...extras } = write;
    writer.operation(id, kind, cache, key, key.length, value, ttlMs, timeoutMs, number, retry, lost, ack, extras);
  }
  return writer.take();
}

test('the generated codec reads the requests that ours writes', () => {
  fc.assert(
    fc.property(request, (sent) => {
      // Without `retry` there is no lost count, and who wants no other acknowledgement says nothing of it.
      const operations = sent.operations
        .map(expectedOperation)
        .map((item) => ({ ...item, lost: item.retry ? item.lost : 0, ack: item.ack === 1 ? 0 : item.ack }));
      expect(plain(generatedRequest.deserialize(writeRequest(sent)))).toEqual({ ...sent, operations });
    }),
  );
});

test('our codec reads the requests that the generated one writes', () => {
  fc.assert(
    fc.property(request, (sent) => {
      const raw = { ...sent, operations: sent.operations.map(expectedOperation) };
      expect(readRequest(generatedRequest.serialize(raw))).toEqual(raw);
    }),
  );
});

test('an operation that says nothing of its acknowledgement, or UNSPECIFIED, is to be replicated', () => {
  const silent = { id: 1, kind: 2, key: Buffer.from('k') };
  for (const operations of [[silent], [{ ...silent, ack: 0 }]]) {
    expect(readRequest(generatedRequest.serialize({ operations })).operations[0]?.ack).toBe(Acknowledgement.replicated);
  }
  const explicit = Buffer.concat([numberField(1, 1), numberField(11, 0)]);
  expect(readRequest(bytesField(1, explicit)).operations[0]?.ack).toBe(Acknowledgement.replicated);
});

test('what a frame says of requests and view does not outlast it', () => {
  const writer = new SessionRequestWriter(64);
  writer.settledBelow(7);
  writer.viewVersion(9);
  const reader = new SessionRequestReader();
  for (const frame of [writer.take(), Buffer.alloc(0)]) {
    reader.reset(frame);
    expect(reader.next()).toBe(RequestItem.end);
    expect([reader.settledBelow, reader.viewVersion]).toEqual(frame.length > 0 ? [7, 9] : [0, 0]);
  }
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
    numberField(8, fields.request),
    ...(fields.retry ? [numberField(9, 1)] : []),
    numberField(10, fields.lost),
    numberField(11, fields.ack),
    ...(fields.lease ? [numberField(13, 1)] : []),
    numberField(14, fields.fill),
    numberField(15, fields.write),
    numberField(16, fields.read),
    ...unknown,
  ];
  // Tags keep their order among themselves.
  const tags = fields.tags.map((tag) => bytesField(12, Buffer.from(tag)));
  const order = fc.shuffledSubarray(parts, { minLength: parts.length });
  return order.map((shuffled) => ({ fields, frame: bytesField(1, Buffer.concat([...tags, ...shuffled])) }));
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
  final: fc.boolean(),
});
const reply = fc.oneof(
  fc.record({ type: fc.constant('miss' as const), id: uint32 }),
  fc.record({ type: fc.constant('hit' as const), id: uint32, value: bytes, stale: fc.boolean() }),
  fc.record({ type: fc.constant('entry' as const), id: uint32, value: bytes, stale: fc.boolean(), ...metadata }),
  fc.record({ type: fc.constant('bulk' as const), id: uint32, valueBytes: uint53, ...metadata }),
  fc.record({ type: fc.constant('peeked' as const), id: uint32, ...metadata }),
  fc.record({ type: fc.constant('written' as const), id: uint32, epoch: uint32, seq: uint53, copies: fc.nat(3) }),
  fc.record({ type: fc.constant('found' as const), id: uint32, found: fc.boolean() }),
  fc.record({ type: fc.constant('leased' as const), id: uint32, lease: uint53 }),
  fc.record({ type: fc.constant('refused fill' as const), id: uint32 }),
  fc.record({ type: fc.constant('invalidated' as const), id: uint32, count: uint53, partitions: bytes }),
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
  leased: (writer, { id, lease }) => writer.leased(id, lease),
  'refused fill': (writer, { id }) => writer.refusedFill(id),
  invalidated: (writer, { id, count, partitions }) => writer.invalidated(id, count, partitions),
  failed: (writer, { id, failure: failed }) => writer.failed(id, errorOf(failed)),
};

function writeReply<Type extends TestReply['type']>(writer: SessionResponseWriter, item: TestReplyOf<Type>): void {
  const { type } = item as { type: Type };
  WRITE[type](writer, item);
}

function errorOf({ code, reason, outcome, viewVersion, final }: TestReplyOf<'failed'>['failure']): LarderError {
  return new LarderError(code, reason, { outcome, details: { viewVersion, final } });
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
    lease: item.type === 'leased' ? item.lease : 0,
    refusedFill: item.type === 'refused fill',
    invalidated: item.type === 'invalidated' ? item.count : 0,
    failure: item.type === 'failed' ? expectedFailure(item.failure) : null,
  };
  if ('value' in item) shown.value = item.value;
  if ('partitions' in item) shown.value = item.partitions;
  if ('ttlMs' in item && item.ttlMs !== TTL_NONE) shown.ttlMs = item.ttlMs;
  return shown;
}

function expectedFailure({ code, reason, outcome, viewVersion, final }: TestReplyOf<'failed'>['failure']): object {
  const outcomeNumber = outcome === undefined ? 0 : outcome === 'not-applied' ? 1 : 2;
  return { code: errorCodeNumber(code), message: reason, outcome: outcomeNumber, viewVersion: viewVersion ?? 0, final };
}

/** The reply that our reader found last, in the same shape. */
function readReply(reader: SessionResponseReader): Record<string, unknown> {
  const { id, epoch, seq, found, bulkBytes, stale, copies, lease, refusedFill, invalidated } = reader;
  const shown: Record<string, unknown> = { id, epoch, seq, found, bulkBytes, stale, copies, lease, refusedFill };
  shown.invalidated = invalidated;
  const { failure } = reader;
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
      cluster: fc.string({ unit: 'grapheme' }),
      // Counts that are all 0 are not written, so one is more.
      lost: fc.oneof(
        fc.constant([]),
        fc
          .array(uint32, { minLength: PARTITION_COUNT - 1, maxLength: PARTITION_COUNT - 1 })
          .map((counts) => [...counts, 1]),
      ),
    }),
  );

test('a view passes between the two codecs in both directions', () => {
  fc.assert(
    fc.property(view, (raw) => {
      const writer = new SessionResponseWriter(64);
      const { lost, cluster, ...rest } = raw;
      const counts = lost.length > 0 ? { lost: Uint32Array.from(lost) } : {};
      const named = cluster === '' ? {} : { cluster };
      const expected = { ...rest, owners: Uint16Array.from(raw.owners), ...counts, ...named };
      writer.view(expected);
      expect(generatedResponse.deserialize(writer.take()).view).toEqual(raw);

      const reader = new SessionResponseReader();
      reader.reset(generatedResponse.serialize({ view: raw }));
      expect(reader.next()).toBe(ResponseItem.view);
      expect(reader.view).toEqual(expected);
    }),
    { numRuns: 30 },
  );
});

test('lost counts that are all 0 are left out', () => {
  const writer = new SessionResponseWriter(64);
  const nodes = [{ id: 'n1', address: 'a:1' }];
  writer.view({ version: 1, nodes, owners: new Uint16Array(PARTITION_COUNT), lost: new Uint32Array(PARTITION_COUNT) });
  expect(generatedResponse.deserialize(writer.take()).view?.lost).toEqual([]);
});

test.each([
  ['too few partitions', { version: 1, nodes: [{ id: 'n1', address: 'a:1' }], owners: [0] }],
  [
    'too few lost counts',
    { version: 1, nodes: [{ id: 'n1', address: 'a:1' }], owners: new Array(PARTITION_COUNT).fill(0), lost: [1] },
  ],
  ['an owner that is not among the nodes', { version: 1, nodes: [], owners: new Array(PARTITION_COUNT).fill(0) }],
])('a view with %s is refused', (_name, raw) => {
  const reader = new SessionResponseReader();
  reader.reset(generatedResponse.serialize({ view: raw }));
  expect(() => reader.next()).toThrow('malformed frame');
});
