import { LENGTH_DELIMITED, VARINT } from './wire-reader.js';
import { varintBytes, type WireWriter } from './wire-writer.js';

/**
 * PeerRecord and PeerRequest of larder/v1/peer.proto, written in place. Both are written into a message whose length is
 * known before, so each has a function that measures it.
 */

export interface PeerRequestId {
  readonly client: number;
  readonly number: number;
  readonly settledBelow: number;
}

/**
 * Where key and value of a record lie. Both are ranges of the same bytes, such as those of a frame: a view of each costs
 * more than all else that a record of a short value takes.
 */
export interface PackedBytes {
  readonly bytes: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
  /** NO_VALUE, as `valueEnd`: the record has none. */
  readonly valueStart: number;
  readonly valueEnd: number;
}

export const NO_VALUE = -1;

export interface PeerRecord extends PackedBytes {
  readonly epoch: number;
  readonly seq: number;
  readonly cache: number;
  /** Fractions are rounded up: 0 would mean that it never expires. */
  readonly ttlMs: number;
  readonly flags: number;
  readonly request: PeerRequestId | undefined;
  readonly result: number;
}

/** A key and a value as one piece; for what is not in a hurry. */
export function packed(key: Uint8Array, value: Uint8Array | undefined): PackedBytes {
  const keyEnd = key.length;
  if (value === undefined) return { bytes: key, keyStart: 0, keyEnd, valueStart: NO_VALUE, valueEnd: NO_VALUE };
  const bytes = new Uint8Array(keyEnd + value.length);
  bytes.set(key);
  bytes.set(value, keyEnd);
  return { bytes, keyStart: 0, keyEnd, valueStart: keyEnd, valueEnd: bytes.length };
}

export function packedKey({ bytes, keyStart, keyEnd }: PackedBytes): Uint8Array {
  return bytes.subarray(keyStart, keyEnd);
}

export function packedValue({ bytes, valueStart, valueEnd }: PackedBytes): Uint8Array | undefined {
  return valueStart === NO_VALUE ? undefined : bytes.subarray(valueStart, valueEnd);
}

export interface PeerRequest extends PeerRequestId {
  readonly seq: number;
  readonly epoch: number;
  readonly result: number;
}

export const FIXED64_BYTES = 8;
const FIXED64 = 1;

export const TAG_RECORD_EPOCH = (1 << 3) | VARINT;
export const TAG_RECORD_SEQ = (2 << 3) | VARINT;
export const TAG_RECORD_CACHE = (3 << 3) | VARINT;
export const TAG_RECORD_KEY = (4 << 3) | LENGTH_DELIMITED;
export const TAG_RECORD_VALUE = (5 << 3) | LENGTH_DELIMITED;
export const TAG_RECORD_TTL = (6 << 3) | VARINT;
export const TAG_RECORD_FLAGS = (7 << 3) | VARINT;
export const TAG_RECORD_CLIENT = (8 << 3) | VARINT;
export const TAG_RECORD_NUMBER = (9 << 3) | VARINT;
export const TAG_RECORD_SETTLED = (10 << 3) | VARINT;
export const TAG_RECORD_RESULT = (11 << 3) | FIXED64;

export const TAG_REQUEST_CLIENT = (1 << 3) | VARINT;
export const TAG_REQUEST_NUMBER = (2 << 3) | VARINT;
export const TAG_REQUEST_SETTLED = (3 << 3) | VARINT;
export const TAG_REQUEST_SEQ = (4 << 3) | VARINT;
export const TAG_REQUEST_EPOCH = (5 << 3) | VARINT;
export const TAG_REQUEST_RESULT = (6 << 3) | FIXED64;

/** Tags, lengths and numbers of a record or request besides key and value. */
export const RECORD_OVERHEAD_MAX = 128;

export function recordLength(record: PeerRecord): number {
  const { request } = record;
  const keyBytes = record.keyEnd - record.keyStart;
  let length = 2 + varintBytes(record.epoch) + varintBytes(record.seq);
  if (record.cache !== 0) length += 1 + varintBytes(record.cache);
  length += 1 + varintBytes(keyBytes) + keyBytes;
  if (record.valueStart !== NO_VALUE) {
    const valueBytes = record.valueEnd - record.valueStart;
    length += 1 + varintBytes(valueBytes) + valueBytes;
  }
  if (record.ttlMs !== 0) length += 1 + varintBytes(Math.ceil(record.ttlMs));
  if (record.flags !== 0) length += 1 + varintBytes(record.flags);
  if (request !== undefined) {
    length += 3 + varintBytes(request.client) + varintBytes(request.number) + varintBytes(request.settledBelow);
  }
  return record.result === 0 ? length : length + 1 + FIXED64_BYTES;
}

/** The caller has reserved the room. */
export function writeRecord(writer: WireWriter, record: PeerRecord): void {
  const { bytes, keyStart, keyEnd, valueStart, valueEnd, request } = record;
  writer.byte(TAG_RECORD_EPOCH);
  writer.varint(record.epoch);
  writer.byte(TAG_RECORD_SEQ);
  writer.varint(record.seq);
  if (record.cache !== 0) writeNumber(writer, TAG_RECORD_CACHE, record.cache);
  writer.byte(TAG_RECORD_KEY);
  writer.varint(keyEnd - keyStart);
  writer.copy(bytes, keyStart, keyEnd);
  if (valueStart !== NO_VALUE) {
    writer.byte(TAG_RECORD_VALUE);
    writer.varint(valueEnd - valueStart);
    writer.copy(bytes, valueStart, valueEnd);
  }
  if (record.ttlMs !== 0) writeNumber(writer, TAG_RECORD_TTL, Math.ceil(record.ttlMs));
  if (record.flags !== 0) writeNumber(writer, TAG_RECORD_FLAGS, record.flags);
  if (request !== undefined) {
    writeNumber(writer, TAG_RECORD_CLIENT, request.client);
    writeNumber(writer, TAG_RECORD_NUMBER, request.number);
    writeNumber(writer, TAG_RECORD_SETTLED, request.settledBelow);
  }
  if (record.result !== 0) writeDouble(writer, TAG_RECORD_RESULT, record.result);
}

export function requestLength(request: PeerRequest): number {
  const numbers = varintBytes(request.client) + varintBytes(request.number) + varintBytes(request.settledBelow);
  const length = 5 + numbers + varintBytes(request.seq) + varintBytes(request.epoch);
  return request.result === 0 ? length : length + 1 + FIXED64_BYTES;
}

/** The caller has reserved the room. */
export function writeRequest(writer: WireWriter, request: PeerRequest): void {
  writeNumber(writer, TAG_REQUEST_CLIENT, request.client);
  writeNumber(writer, TAG_REQUEST_NUMBER, request.number);
  writeNumber(writer, TAG_REQUEST_SETTLED, request.settledBelow);
  writeNumber(writer, TAG_REQUEST_SEQ, request.seq);
  writeNumber(writer, TAG_REQUEST_EPOCH, request.epoch);
  if (request.result !== 0) writeDouble(writer, TAG_REQUEST_RESULT, request.result);
}

export function writeNumber(writer: WireWriter, tag: number, value: number): void {
  writer.byte(tag);
  writer.varint(value);
}

export function writeDouble(writer: WireWriter, tag: number, value: number): void {
  writer.byte(tag);
  writer.at = writer.bytes.writeDoubleLE(value, writer.at);
}
