import {
  BULK_CHUNK_BYTES,
  cacheService,
  LarderError,
  OperationKind,
  TTL_NONE,
  VALUE_BYTES_MAX_CEILING,
  type WireFailure,
} from '@larder/proto';
import { encodeKey, keyScratch } from '../keys.js';
import type { RequestNumbers } from '../request-numbers.js';
import type { BulkFacts, Call } from './call.js';

/** One large value on its way: the steps of larder/v1/cache.proto, BulkRequest. Both sides wait after each. */

/** The messages as the generated codec gives them. */
export interface BulkResponse {
  readonly transfer: number;
  readonly valueBytes: number;
  readonly chunk: Buffer;
  readonly reply: BulkReply | null;
}

export interface BulkReply {
  readonly failure: WireFailure | null;
  readonly epoch: number;
  readonly seq: number;
  readonly ttlMs?: number;
  readonly found: boolean;
  readonly stale: boolean;
  readonly copies: number;
}

const method = cacheService.Bulk!;

export function decodeResponse(message: Buffer): BulkResponse {
  return method.responseDeserialize(message) as BulkResponse;
}

export function factsOf(reply: BulkReply): BulkFacts {
  const { epoch, seq, stale, copies } = reply;
  return { epoch, seq, ttlMs: reply.ttlMs ?? TTL_NONE, stale, copies };
}

const NO_FACTS: BulkFacts = { epoch: 0, seq: 0, ttlMs: TTL_NONE, stale: false, copies: 0 };

export class BulkTransfer {
  /** Bytes of the value that were sent or received. */
  #done = 0;
  #received: Buffer | undefined;

  constructor(
    readonly id: number,
    readonly call: Call,
    /** Read: what the session's reply said of the value. */
    public facts: BulkFacts = NO_FACTS,
  ) {}

  get isWrite(): boolean {
    return this.call.value !== undefined;
  }

  /** A write that is complete may be applied from then on; before, nothing of it can be. */
  get isComplete(): boolean {
    return this.call.value !== undefined && this.#done === this.call.value.length;
  }

  /** Read: the whole value; undefined for a miss. */
  get received(): Buffer | undefined {
    return this.#received;
  }

  /** The message that opens the transfer. */
  begin(leftMs: number, { clientId, settledBelow }: RequestNumbers): Buffer {
    const { call } = this;
    const keyBytes = encodeKey(call.key);
    const operation: Record<string, unknown> = {
      kind: this.isWrite ? OperationKind.set : call.kind,
      key: keyScratch.subarray(0, keyBytes),
      timeoutMs: leftMs,
    };
    if (call.ttlMs >= 0) operation.ttlMs = call.ttlMs;
    const first = { transfer: this.id, operation, cacheName: call.cache.name };
    // A read has looked where it was to look, on the session, or it would not be here.
    if (call.value === undefined) return method.requestSerialize(first);
    Object.assign(operation, call.extras, {
      request: call.request,
      retry: call.mayBeApplied,
      lost: call.lost,
      ack: call.ack,
    });
    const valueBytes = call.value.length;
    const chunk = this.#nextChunk(call.value);
    return method.requestSerialize({ ...first, valueBytes, chunk, clientId, settledBelow });
  }

  /** The next step after this answer; undefined when a read has all its bytes. Throws INTERNAL for a wrong answer. */
  step(response: BulkResponse): Buffer | undefined {
    const { value } = this.call;
    if (value !== undefined) {
      if (this.isComplete) throw wrong(`it asks for more than the ${value.length} bytes of the value`);
      return method.requestSerialize({ transfer: this.id, chunk: this.#nextChunk(value) });
    }
    this.#receive(response);
    return this.#done < (this.#received as Buffer).length ? method.requestSerialize({ transfer: this.id }) : undefined;
  }

  cancel(): Buffer {
    return method.requestSerialize({ transfer: this.id, cancel: true });
  }

  #nextChunk(value: Uint8Array): Uint8Array {
    const chunk = value.subarray(this.#done, this.#done + BULK_CHUNK_BYTES);
    this.#done += chunk.length;
    return chunk;
  }

  #receive({ valueBytes, chunk }: BulkResponse): void {
    if (this.#received === undefined && !(valueBytes <= VALUE_BYTES_MAX_CEILING)) {
      throw wrong(`it announces a value of ${valueBytes} bytes; allowed are ${VALUE_BYTES_MAX_CEILING}`);
    }
    this.#received ??= Buffer.allocUnsafeSlow(valueBytes);
    const leftBytes = this.#received.length - this.#done;
    if (chunk.length > leftBytes || (chunk.length === 0 && leftBytes > 0)) {
      throw wrong(`a chunk of ${chunk.length} bytes where ${leftBytes} are due`);
    }
    this.#done += chunk.copy(this.#received, this.#done);
  }
}

function wrong(what: string): LarderError {
  return new LarderError('INTERNAL', what);
}
