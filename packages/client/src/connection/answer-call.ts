import { OperationKind, type SessionResponseReader } from '@larder/proto';
import type { BulkFacts, Call } from './call.js';
import { decodeError } from './call-errors.js';

/** Settles the call with the success reply that the reader stands at. */
export function answerCall(call: Call, reader: SessionResponseReader): void {
  let value: unknown;
  try {
    value = call.answer.read(reader, call);
  } catch (error) {
    call.reject(decodeError(call, error));
    return;
  }
  call.resolve(value);
}

/** Whether the reply says that its value has to be fetched by Bulk. Only calls that read a value have one. */
export function isAnsweredByBulk(call: Call, reader: SessionResponseReader): boolean {
  return reader.bulkBytes > 0 && (call.kind === OperationKind.get || call.kind === OperationKind.entry);
}

/** What the reply knows of a value that has to be fetched. */
export function factsOf(reader: SessionResponseReader): BulkFacts {
  const { epoch, seq, ttlMs, stale, copies } = reader;
  return { epoch, seq, ttlMs, stale, copies };
}
