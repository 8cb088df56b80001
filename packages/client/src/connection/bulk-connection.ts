import type { ClientDuplexStream, Client as GrpcClient, ServiceError } from '@grpc/grpc-js';
import { BoundedQueue, type Clock, type Timer } from '@larder/base';
import { BULK_CHUNK_BYTES, cacheService, failureToError, LarderError, OperationKind } from '@larder/proto';
import { encodeKey, keyScratch } from '../keys.js';
import type { BulkFacts, Call } from './call.js';
import { fromServiceError, openChannel } from './channel.js';

/**
 * Large values between this client and one node, on a connection of their own: chunks of 64 KiB, one outstanding per
 * value, so that neither side's event loop is held for long and small calls are not held up (transport study, section 4).
 */

/** Transfers at the same time; others wait. More would only compete for the same connection. */
const TRANSFERS_MAX = 16;
/** At the bound: BUSY. */
const WAITING_MAX = 4_096;
const SWEEP_PERIOD_MS = 50;

interface BulkReply {
  readonly failure?: { code: number; message: string; outcome: number; viewVersion: number } | null;
  readonly epoch: number;
  readonly seq: number;
  readonly ttlMs?: number;
  readonly stale: boolean;
  readonly copies: number;
}

interface BulkResponse {
  readonly transfer: number;
  readonly valueBytes: number;
  readonly chunk: Buffer;
  readonly reply: BulkReply | null;
}

interface Transfer {
  readonly id: number;
  readonly call: Call;
  /** Read: what has come so far. */
  received: Buffer | undefined;
  /** Bytes that were sent or received. */
  done: number;
  facts: BulkFacts;
}

const NO_FACTS: BulkFacts = { epoch: 0, seq: 0, ttlMs: -1, stale: false, copies: 0 };

function factsOf(reply: BulkReply): BulkFacts {
  const { epoch, seq, stale, copies } = reply;
  return { epoch, seq, ttlMs: reply.ttlMs ?? -1, stale, copies };
}

export class BulkConnection {
  readonly #transfers = new Map<number, Transfer>();
  readonly #waiting = new BoundedQueue<Call>(WAITING_MAX);
  #channel: GrpcClient | undefined;
  #stream: ClientDuplexStream<object, BulkResponse> | undefined;
  #sweeper: Timer | undefined;
  #nextId = 1;
  #closed = false;

  constructor(
    readonly node: string,
    readonly address: string,
    readonly clock: Clock,
    readonly onFailure: (call: Call, error: LarderError) => void,
  ) {}

  get inFlight(): number {
    return this.#transfers.size + this.#waiting.length;
  }

  /** Starts or queues the transfer of the call's value; the call's deadline goes on counting. */
  submit(call: Call): void {
    if (this.#closed) {
      this.onFailure(call, new LarderError('CLOSED', 'the client was closed', { outcome: call.outcomeIfLost }));
    } else if (this.#transfers.size < TRANSFERS_MAX) {
      this.#begin(call);
    } else if (!this.#waiting.push(call)) {
      this.onFailure(
        call,
        new LarderError('BUSY', `more than ${WAITING_MAX} large values are waiting for node ${this.node}`, {
          outcome: call.isWrite ? 'not-applied' : undefined,
          node: this.node,
        }),
      );
    }
    this.#sweeper ??= this.clock.every(SWEEP_PERIOD_MS, () => this.#sweep());
  }

  close(): void {
    this.#closed = true;
    this.#drop(new LarderError('CLOSED', 'the client was closed', { node: this.node }));
  }

  #begin(call: Call): void {
    const transfer: Transfer = { id: this.#nextId++, call, received: undefined, done: 0, facts: NO_FACTS };
    this.#transfers.set(transfer.id, transfer);
    call.sent = true;
    call.attempts++;
    call.node = this.node;
    const keyBytes = encodeKey(call.key);
    const operation: Record<string, unknown> = {
      kind: call.value ? OperationKind.set : call.kind,
      key: Buffer.from(keyScratch.subarray(0, keyBytes)),
      timeoutMs: Math.max(1, Math.ceil(call.deadlineMs - this.clock.monotonicMs())),
    };
    if (call.ttlMs >= 0) operation.ttlMs = call.ttlMs;
    const first = { transfer: transfer.id, operation, cacheName: call.cache.name };
    this.#write(call.value ? { ...first, valueBytes: call.value.length, chunk: this.#nextChunk(transfer) } : first);
  }

  #nextChunk(transfer: Transfer): Uint8Array {
    const value = transfer.call.value as Uint8Array;
    const chunk = value.subarray(transfer.done, transfer.done + BULK_CHUNK_BYTES);
    transfer.done += chunk.length;
    return chunk;
  }

  #write(message: object): void {
    this.#stream ??= this.#open();
    this.#stream.write(message);
  }

  #open(): ClientDuplexStream<object, BulkResponse> {
    this.#channel ??= openChannel(this.address);
    const definition = cacheService.Bulk!;
    const stream = this.#channel.makeBidiStreamRequest<object, BulkResponse>(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize as (bytes: Buffer) => BulkResponse,
    );
    const lose = (error: LarderError): void => {
      if (stream === this.#stream) this.#drop(error);
    };
    stream.on('data', (response: BulkResponse) => {
      if (stream === this.#stream) this.#receive(response);
    });
    stream.on('error', (error: ServiceError) => lose(fromServiceError(error, this.node, undefined)));
    stream.on('end', () =>
      lose(new LarderError('UNAVAILABLE', `node ${this.node} ended the transfer of large values`)),
    );
    return stream;
  }

  #receive(response: BulkResponse): void {
    const transfer = this.#transfers.get(response.transfer);
    if (!transfer) return;
    if (response.reply) this.#finish(transfer, response.reply);
    else if (transfer.call.value) this.#write({ transfer: transfer.id, chunk: this.#nextChunk(transfer) });
    else this.#receiveChunk(transfer, response);
  }

  #receiveChunk(transfer: Transfer, response: BulkResponse): void {
    transfer.received ??= Buffer.allocUnsafe(response.valueBytes);
    if (transfer.done + response.chunk.length > transfer.received.length) {
      this.#drop(new LarderError('INTERNAL', `node ${this.node} sent more bytes than it announced`));
      return;
    }
    transfer.done += response.chunk.copy(transfer.received, transfer.done);
    if (transfer.done < transfer.received.length) {
      this.#write({ transfer: transfer.id });
    } else {
      this.#settle(transfer, transfer.facts);
    }
  }

  /** The node's last word: a miss, a failure, or the version of a write. */
  #finish(transfer: Transfer, reply: BulkReply): void {
    const { call } = transfer;
    if (reply.failure) {
      this.#end(transfer);
      if (!call.settled) this.onFailure(call, failureToError(reply.failure));
      return;
    }
    this.#settle(transfer, factsOf(reply));
  }

  #settle(transfer: Transfer, facts: BulkFacts): void {
    const { call, received } = transfer;
    this.#end(transfer);
    try {
      call.resolve(call.answer.readBulk?.(received, facts, call));
    } catch (error) {
      call.reject(new LarderError('CODEC', `the value cannot be decoded: ${String(error)}`, { cause: error }));
    }
  }

  #end(transfer: Transfer): void {
    this.#transfers.delete(transfer.id);
    let next = this.#waiting.shift();
    while (next?.settled) next = this.#waiting.shift();
    if (next) this.#begin(next);
  }

  #sweep(): void {
    const nowMs = this.clock.monotonicMs();
    for (const transfer of [...this.#transfers.values()]) {
      if (!transfer.call.settled && transfer.call.deadlineMs > nowMs) continue;
      this.#write({ transfer: transfer.id, cancel: true });
      transfer.call.reject(
        new LarderError('TIMEOUT', `node ${this.node} did not transfer the value in time`, {
          outcome: transfer.call.outcomeIfLost,
          node: this.node,
        }),
      );
      this.#end(transfer);
    }
    if (this.inFlight > 0) return;
    this.#sweeper?.cancel();
    this.#sweeper = undefined;
  }

  #drop(error: LarderError): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.on('error', () => {});
    stream?.cancel();
    this.#channel?.close();
    this.#channel = undefined;
    this.#sweeper?.cancel();
    this.#sweeper = undefined;
    const lost = [...this.#transfers.values()].map((transfer) => transfer.call);
    this.#transfers.clear();
    for (let call = this.#waiting.shift(); call; call = this.#waiting.shift()) lost.push(call);
    for (const call of lost) {
      if (call.settled) continue;
      const code = error.code === 'CLOSED' ? 'CLOSED' : 'UNAVAILABLE';
      this.onFailure(
        call,
        new LarderError(code, error.reason, { outcome: call.outcomeIfLost, node: this.node, cause: error }),
      );
    }
  }
}
