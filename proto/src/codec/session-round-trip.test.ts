import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LarderError } from '../errors.js';
import { PARTITION_COUNT } from '../limits.js';
import { OperationKind, RequestItem, SessionRequestReader, SessionRequestWriter } from './session-request.js';
import { ResponseItem, SessionResponseReader, SessionResponseWriter } from './session-response.js';
import type { WireReader } from './wire-reader.js';

/** What our client writes our node reads, and the other way round; session-codec.test.ts has the generated codec between. */

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const safe = fc.maxSafeNat();
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });

const operation = fc.record({
  id: uint32,
  kind: fc.constantFrom(...Object.values(OperationKind)),
  cache: fc.integer({ min: 0, max: 4095 }),
  key: bytes(5_000),
  value: fc.option(bytes(20_000), { nil: undefined }),
  ttlMs: fc.oneof(fc.constant(-1), safe),
  timeoutMs: uint32,
});

const reply = fc.record({
  id: uint32,
  form: fc.constantFrom('miss', 'hit', 'entry', 'bulk', 'peeked', 'written', 'found', 'failed'),
  value: bytes(20_000),
  stale: fc.boolean(),
  epoch: uint32,
  seq: safe,
  ttlMs: fc.oneof(fc.constant(-1), safe),
  copies: fc.integer({ min: 0, max: 9 }),
});
type Reply = typeof reply extends fc.Arbitrary<infer Value> ? Value : never;

function writeReply(writer: SessionResponseWriter, sent: Reply): void {
  const { id, form, value, stale, epoch, seq, ttlMs, copies } = sent;
  let at = -1;
  if (form === 'miss') writer.miss(id);
  else if (form === 'hit') at = writer.hit(id, value.length, stale);
  else if (form === 'entry') at = writer.entry(id, value.length, stale, epoch, seq, ttlMs);
  else if (form === 'bulk') writer.bulk(id, value.length + 1, epoch, seq, ttlMs);
  else if (form === 'peeked') writer.peeked(id, epoch, seq, ttlMs);
  else if (form === 'written') writer.written(id, epoch, seq, copies);
  else if (form === 'found') writer.found(id, stale);
  else writer.failed(id, new LarderError('TIMEOUT', `reason ${seq}`, { outcome: 'unknown' }));
  if (at >= 0) writer.bytes.set(value, at);
}

function expectReply(reader: SessionResponseReader, sent: Reply): void {
  const { form, value, stale, epoch, seq, ttlMs, copies } = sent;
  const hasFacts = form === 'entry' || form === 'bulk' || form === 'peeked';
  expect(reader.id).toBe(sent.id);
  expect(reader.hasValue).toBe(form === 'hit' || form === 'entry');
  if (reader.hasValue) {
    expect(Buffer.from(value).equals(reader.bytes.subarray(reader.valueStart, reader.valueEnd))).toBe(true);
    expect(reader.stale).toBe(stale);
  }
  if (hasFacts || form === 'written') expect([reader.epoch, reader.seq]).toEqual([epoch, seq]);
  expect(reader.ttlMs).toBe(hasFacts ? ttlMs : -1);
  expect(reader.copies).toBe(form === 'written' ? copies : 0);
  expect(reader.bulkBytes).toBe(form === 'bulk' ? value.length + 1 : 0);
  expect(reader.found).toBe(form === 'peeked' || (form === 'found' && stale));
  if (form !== 'failed') expect(reader.failure).toBeUndefined();
  else expect(reader.failure).toMatchObject({ code: 'TIMEOUT', reason: `reason ${seq}`, outcome: 'unknown' });
}

function requestFrame(
  operations: readonly (typeof operation extends fc.Arbitrary<infer Value> ? Value : never)[],
): Buffer {
  // Small, so that it has to grow in every place.
  const writer = new SessionRequestWriter(16);
  for (const { id, kind, cache, key, value, ttlMs, timeoutMs } of operations) {
    writer.operation(id, kind, cache, key, key.length, value, ttlMs, timeoutMs);
  }
  return writer.take();
}

function responseFrame(replies: readonly Reply[]): Buffer {
  const writer = new SessionResponseWriter(16);
  for (const sent of replies) writeReply(writer, sent);
  return writer.take();
}

describe('a frame', () => {
  test('of any operations comes out as it went in, also from the middle of a larger buffer', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 8 }), fc.nat(9), (operations, offset) => {
        const frame = requestFrame(operations);
        const reader = new SessionRequestReader();
        const around = Buffer.concat([Buffer.alloc(offset, 0xff), frame, Buffer.alloc(3, 0xff)]);
        reader.reset(around, offset, offset + frame.length);
        for (const { key, value, ...sent } of operations) {
          expect(reader.next()).toBe(RequestItem.operation);
          expect(reader).toMatchObject({ ...sent, hasValue: value !== undefined });
          expect(Buffer.from(key).equals(around.subarray(reader.keyStart, reader.keyEnd))).toBe(true);
          expect(Buffer.from(value ?? []).equals(around.subarray(reader.valueStart, reader.valueEnd))).toBe(true);
        }
        expect(reader.next()).toBe(RequestItem.end);
      }),
      { numRuns: 300 },
    );
  });

  test('of any replies comes out as it went in', () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 8 }), (replies) => {
        const reader = new SessionResponseReader();
        reader.reset(responseFrame(replies));
        for (const sent of replies) {
          expect(reader.next()).toBe(ResponseItem.reply);
          expectReply(reader, sent);
        }
        expect(reader.next()).toBe(ResponseItem.end);
      }),
      { numRuns: 300 },
    );
  });

  test('with hello and caches comes out as it went in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), uint32, uint32, (name, number, handle) => {
        const writer = new SessionRequestWriter(16);
        writer.hello(number, name, handle);
        writer.open(handle, name);
        const reader = new SessionRequestReader();
        reader.reset(writer.take());
        expect([reader.next(), reader.protocol, reader.name, reader.timeoutMs]).toEqual([
          RequestItem.hello,
          number,
          name,
          handle,
        ]);
        expect([reader.next(), reader.cache, reader.name]).toEqual([RequestItem.open, handle, name]);
        expect(reader.next()).toBe(RequestItem.end);
      }),
    );
  });
});

/** Reads all items. Every step must come nearer to the end, so that no bytes can keep a reader for ever. */
function readAll(reader: WireReader & { next(): number }, frame: Buffer): void {
  reader.reset(frame);
  let items = 0;
  try {
    while (reader.next() !== 0) {
      expect(reader.at).toBeLessThanOrEqual(frame.length);
      expect(++items).toBeLessThanOrEqual(frame.length);
    }
  } catch (error) {
    expect(error).toBeInstanceOf(LarderError);
    expect((error as LarderError).code).toBe('BAD_ARGUMENT');
  }
}

const change = fc.record({ at: fc.nat(), to: fc.nat(255), cut: fc.boolean() });

function damaged(frame: Buffer, changes: readonly { at: number; to: number; cut: boolean }[]): Buffer {
  let bytesLeft = Buffer.from(frame);
  for (const { at, to, cut } of changes) {
    if (bytesLeft.length === 0) break;
    const place = at % bytesLeft.length;
    if (cut) bytesLeft = bytesLeft.subarray(0, place);
    else bytesLeft[place] = to;
  }
  return bytesLeft;
}

describe('bytes that are no frame end in BAD_ARGUMENT or are read as something, and never hang:', () => {
  const requests = new SessionRequestReader();
  const responses = new SessionResponseReader();

  test('any bytes', () => {
    fc.assert(
      fc.property(bytes(300), (array) => {
        readAll(requests, Buffer.from(array));
        readAll(responses, Buffer.from(array));
      }),
      { numRuns: 3_000 },
    );
  });

  test('frames with some bytes changed or cut off', () => {
    const frames = fc.oneof(
      fc.array(operation, { maxLength: 4 }).map(requestFrame),
      fc.array(reply, { maxLength: 4 }).map(responseFrame),
    );
    fc.assert(
      fc.property(frames, fc.array(change, { minLength: 1, maxLength: 6 }), (frame, changes) => {
        const bad = damaged(frame, changes);
        readAll(requests, bad);
        readAll(responses, bad);
      }),
      { numRuns: 1_500 },
    );
  });

  test('views with some bytes changed or cut off', () => {
    const nodes = [
      { id: 'n1', address: '10.0.0.1:7400' },
      { id: 'n2', address: '10.0.0.2:7400' },
    ];
    const writer = new SessionResponseWriter(64);
    writer.view({ version: 7, nodes, owners: new Uint16Array(PARTITION_COUNT).map((_, index) => index % 2) });
    const view = writer.take();
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        readAll(responses, damaged(view, changes));
      }),
      { numRuns: 1_500 },
    );
  });
});
