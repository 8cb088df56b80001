import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Clock, Timer } from '@larder/base';
import { Acknowledgement, LarderError, OperationKind, toLarderError } from '@larder/proto';
import { admit, DEFAULT_TIMEOUT_MS } from './admission.js';
import { type BulkOperation, type BulkRequest, type BulkResponse, failureReply } from './bulk-messages.js';
import { type BulkTarget, BulkTransfer } from './bulk-transfer.js';
import type { ByteBudget } from './byte-budget.js';
import { tagsOf } from './operation-tags.js';
import type { ServerContext } from './server-context.js';

/**
 * Values above 64 KiB, in chunks, on a stream beside the session: a large value there would hold small calls up.
 * A read copies the value once, when it starts, and sends that copy whatever happens to the entry meanwhile; a write
 * is put together in one buffer and handed to the loader when its last byte is there.
 *
 * Bounds: the buffers of all transfers come from one budget (BUSY beyond it), a stream has at most
 * TRANSFERS_PER_STREAM_MAX, and a client that says nothing for IDLE_MS loses its transfer.
 */
const TRANSFERS_PER_STREAM_MAX = 256;
const IDLE_MS = 30_000;
const SWEEP_PERIOD_MS = 1_000;
/** Responses that the client has not read yet; beyond it nothing more is read from it. 1 MiB in chunks. */
const UNSENT_MAX = 16;

export type BulkGrpcStream = ServerDuplexStream<BulkRequest, BulkResponse>;

/** All bulk streams of a node. */
export class Bulk {
  readonly #streams = new Set<BulkStream>();
  readonly #sweeper: Timer;

  constructor(
    readonly context: ServerContext,
    readonly clock: Clock,
    readonly budget: ByteBudget,
  ) {
    this.#sweeper = clock.every(SWEEP_PERIOD_MS, () => this.#dropIdle());
  }

  readonly open = (stream: BulkGrpcStream): void => {
    this.#streams.add(new BulkStream(this, stream, (ended) => this.#streams.delete(ended)));
  };

  /** Transfers under way. */
  get inFlight(): number {
    let count = 0;
    for (const stream of this.#streams) count += stream.inFlight;
    return count;
  }

  /** Ends every stream; what is still in transfer is dropped. */
  close(): void {
    this.#sweeper.cancel();
    for (const stream of this.#streams) stream.end();
  }

  #dropIdle(): void {
    for (const stream of this.#streams) stream.dropIdle(this.clock.monotonicMs() - IDLE_MS);
  }
}

class BulkStream implements BulkTarget {
  readonly #transfers = new Map<number, BulkTransfer>();
  #unsent = 0;
  #inputEnded = false;
  #closed = false;

  constructor(
    readonly bulk: Bulk,
    readonly stream: BulkGrpcStream,
    readonly onEnd: (stream: BulkStream) => void,
  ) {
    stream.on('data', (request: BulkRequest) => this.#receive(request));
    stream.on('end', () => {
      this.#inputEnded = true;
      this.#endWhenDone();
    });
    stream.on('error', () => this.#close());
    stream.on('cancelled', () => this.#close());
    stream.on('close', () => this.#close());
  }

  get budget(): ByteBudget {
    return this.bulk.budget;
  }

  get inFlight(): number {
    return this.#transfers.size;
  }

  end(): void {
    if (this.#closed) return;
    this.stream.end();
    this.#close();
  }

  dropIdle(heardBeforeMs: number): void {
    for (const transfer of this.#transfers.values()) {
      const waitsForClient = transfer.phase === 'sending' || transfer.phase === 'receiving';
      if (!waitsForClient || transfer.heardAtMs >= heardBeforeMs) continue;
      transfer.failed(
        new LarderError('TIMEOUT', `transfer ${transfer.id} was idle for ${IDLE_MS} ms and was dropped`, {
          outcome: transfer.isWrite ? 'not-applied' : undefined,
        }),
      );
    }
  }

  send(response: BulkResponse): void {
    if (this.#closed) return;
    if (++this.#unsent === UNSENT_MAX) this.stream.pause();
    this.stream.write(response, this.#sent);
  }

  readonly #sent = (): void => {
    if (this.#unsent-- === UNSENT_MAX) this.stream.resume();
    this.#endWhenDone();
  };

  ended(transfer: BulkTransfer): void {
    this.#transfers.delete(transfer.id);
    this.#endWhenDone();
  }

  #receive(request: BulkRequest): void {
    if (this.#closed) return;
    const id = request.transfer;
    const transfer = this.#transfers.get(id);
    try {
      if (request.cancel) transfer?.end();
      else if (transfer && request.operation) throw transfer.badArgument('it is already open; choose another id');
      else if (transfer) this.#continue(transfer, request);
      else if (request.operation) this.#begin(request, request.operation);
      else throw badArgument(`transfer ${id} is not open on this stream`);
    } catch (error) {
      this.#fail(id, toLarderError(error));
    }
  }

  /** A fault of the client's ends the transfer that it names, if there is one. */
  #fail(id: number, error: LarderError): void {
    const transfer = this.#transfers.get(id);
    if (transfer) transfer.failed(error);
    else this.send(failureReply(id, error));
  }

  #begin(request: BulkRequest, operation: BulkOperation): void {
    const { context, clock } = this.bulk;
    const isWrite = operation.kind === OperationKind.set;
    if (!isWrite && operation.kind !== OperationKind.get && operation.kind !== OperationKind.entry) {
      throw badArgument(`operation.kind is ${operation.kind}; a transfer takes GET (1), SET (2) and ENTRY (4)`);
    }
    const { key, ttlMs } = operation;
    const valueBytes = isWrite ? request.valueBytes : 0;
    const admitted = admit(context, { cache: request.cacheName, key, valueBytes, ttlMs });
    const { partitions } = context;
    const { partition } = admitted.key;
    partitions.beginTurn();
    if (!partitions.serves(partition)) throw partitions.refusal(partition);
    if (this.#transfers.size >= TRANSFERS_PER_STREAM_MAX) {
      throw new LarderError('BUSY', `more than ${TRANSFERS_PER_STREAM_MAX} transfers on one stream`, {
        outcome: 'not-applied',
      });
    }
    const timeoutMs = operation.timeoutMs || DEFAULT_TIMEOUT_MS;
    const transfer = new BulkTransfer(
      request.transfer,
      operation.kind,
      admitted,
      timeoutMs,
      this,
      partitions,
      {
        clientId: request.clientId,
        request: operation.request,
        settledBelow: request.settledBelow,
        isRetry: operation.retry,
        lost: operation.lost,
        fill: operation.fill,
        ownerOnly: operation.ack === Acknowledgement.owner,
        mode: operation.write,
        tags: tagsOf(operation.tags),
      },
      clock.monotonicMs(),
    );
    if (isWrite) transfer.announce(valueBytes);
    this.#transfers.set(transfer.id, transfer);
    if (isWrite) this.#continue(transfer, request);
    else transfer.load();
  }

  #continue(transfer: BulkTransfer, request: BulkRequest): void {
    transfer.heardAtMs = this.bulk.clock.monotonicMs();
    if (transfer.phase === 'receiving') transfer.receive(request.chunk);
    else if (transfer.phase === 'sending') transfer.sendChunk();
    else throw transfer.badArgument('it is not waiting for you; send one message and await its answer');
  }

  #endWhenDone(): void {
    if (this.#inputEnded && this.#transfers.size === 0 && this.#unsent === 0) this.end();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const transfer of [...this.#transfers.values()]) transfer.end();
    this.onEnd(this);
  }
}

function badArgument(message: string): LarderError {
  return new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}
