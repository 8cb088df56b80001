import type { ServerDuplexStream } from '@grpc/grpc-js';
import { BULK_CHUNK_BYTES, errorToFailure, LarderError, OperationKind } from '@larder/proto';
import { ScriptedStore } from './scripted-store.js';

/** BulkRequest as the generated codec gives it. */
export interface SentBulk {
  readonly transfer: number;
  readonly operation: {
    readonly kind: number;
    readonly key: Buffer;
    readonly timeoutMs: number;
    readonly ttlMs?: number;
    readonly request: number;
    readonly retry: boolean;
    readonly lost: number;
    readonly ack: number;
  } | null;
  readonly cacheName: string;
  readonly valueBytes: number;
  readonly chunk: Buffer;
  readonly cancel: boolean;
  readonly clientId: number;
  readonly settledBelow: number;
}

export type BulkStream = ServerDuplexStream<SentBulk, object>;

interface OpenTransfer {
  readonly id: string;
  readonly isWrite: boolean;
  readonly value: Buffer;
  readonly ttlMs: number;
  done: number;
}

/** The node's end of one Bulk stream over a store. */
export class ScriptedBulk {
  readonly #transfers = new Map<number, OpenTransfer>();

  constructor(
    readonly stream: BulkStream,
    readonly store: ScriptedStore,
    readonly valueBytesMax: number,
  ) {
    stream.on('error', () => {});
    stream.on('end', () => stream.end());
  }

  answer(request: SentBulk): void {
    const { transfer: id, operation } = request;
    if (request.cancel) this.#transfers.delete(id);
    else if (operation) this.#begin(request, operation);
    else this.#continue(id, request);
  }

  #begin(request: SentBulk, operation: NonNullable<SentBulk['operation']>): void {
    const id = ScriptedStore.id(request.cacheName, operation.key.toString());
    const isWrite = operation.kind === OperationKind.set;
    if (request.valueBytes > this.valueBytesMax) {
      const error = new LarderError('TOO_LARGE', `value has ${request.valueBytes} bytes`, { outcome: 'not-applied' });
      this.stream.write({ transfer: request.transfer, reply: { failure: errorToFailure(error) } });
      return;
    }
    const found = this.store.entries.get(id)?.value;
    if (!isWrite && found === undefined) {
      this.stream.write({ transfer: request.transfer, reply: {} });
      return;
    }
    const value = isWrite ? Buffer.alloc(request.valueBytes) : (found as Buffer);
    this.#transfers.set(request.transfer, { id, isWrite, value, ttlMs: operation.ttlMs ?? -1, done: 0 });
    this.#continue(request.transfer, request);
  }

  #continue(id: number, request: SentBulk): void {
    const transfer = this.#transfers.get(id);
    if (!transfer) return;
    if (transfer.isWrite) this.#receive(id, transfer, request.chunk);
    else this.#send(id, transfer);
  }

  #receive(id: number, transfer: OpenTransfer, chunk: Buffer): void {
    transfer.done += chunk.copy(transfer.value, transfer.done);
    if (transfer.done < transfer.value.length) {
      this.stream.write({ transfer: id });
      return;
    }
    this.#transfers.delete(id);
    const seq = this.store.set(transfer.id, transfer.value, transfer.ttlMs);
    this.stream.write({ transfer: id, reply: { epoch: 7, seq, copies: 2 } });
  }

  #send(id: number, transfer: OpenTransfer): void {
    const chunk = transfer.value.subarray(transfer.done, transfer.done + BULK_CHUNK_BYTES);
    const first = transfer.done === 0 ? { valueBytes: transfer.value.length } : {};
    transfer.done += chunk.length;
    if (transfer.done === transfer.value.length) this.#transfers.delete(id);
    this.stream.write({ transfer: id, chunk, ...first });
  }
}
