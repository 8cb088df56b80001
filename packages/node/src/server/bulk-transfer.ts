import type { CopiedEntry, EntryRef, Reply, TagHashes } from '@larder/loader';
import { BULK_CHUNK_BYTES, LarderError, OperationKind, TTL_NONE, toLarderError } from '@larder/proto';
import { admitWrite, type NumberedWrite } from '../partitions/admit-write.js';
import { CommittedReply } from '../partitions/committed-reply.js';
import type { OwnedPartitions } from '../partitions/owned-partitions.js';
import type { AdmittedOperation } from './admission.js';
import { type BulkReply, type BulkResponse, failureReply } from './bulk-messages.js';
import type { ByteBudget } from './byte-budget.js';

/** What a transfer needs of the stream that it runs on. */
export interface BulkTarget {
  readonly budget: ByteBudget;
  send(response: BulkResponse): void;
  /** The transfer is over: its id is free again. */
  ended(transfer: BulkTransfer): void;
}

/** What a write names besides key and value. */
export interface BulkWrite extends NumberedWrite {
  readonly ownerOnly: boolean;
  readonly fill: number;
  /** A WriteMode. */
  readonly mode: number;
  readonly tags: TagHashes | undefined;
}

/**
 *   read:   loading -> sending -> ended
 *   write:  receiving -> storing -> ended
 *
 * In `loading` and `storing` the loader has the operation, and the transfer is its Reply.
 */
export type BulkPhase = 'loading' | 'sending' | 'receiving' | 'storing' | 'ended';

/**
 * One large value on its way. Its buffer is taken from the node's budget before it is allocated, and given back when
 * the transfer ends, whoever ends it.
 */
export class BulkTransfer implements Reply {
  phase: BulkPhase;
  #buffer: Buffer | undefined;
  /** Bytes of the value that were sent or received. */
  #done = 0;
  /** ENTRY: what is known of the value that is being sent. */
  #facts: BulkReply | undefined;

  constructor(
    readonly id: number,
    /** SET, GET or ENTRY. */
    readonly kind: number,
    readonly operation: AdmittedOperation,
    readonly timeoutMs: number,
    readonly target: BulkTarget,
    readonly partitions: OwnedPartitions,
    readonly write: BulkWrite,
    /** When the client last said something. */
    public heardAtMs: number,
  ) {
    this.phase = this.isWrite ? 'receiving' : 'loading';
  }

  get isWrite(): boolean {
    return this.kind === OperationKind.set;
  }

  /** Starts a read. */
  load(): void {
    this.operation.cache.loader.get(this.operation.key, this.#committed(), this.timeoutMs);
  }

  /** Starts a write of so many bytes. Throws BUSY. */
  announce(valueBytes: number): void {
    this.#buffer = this.#allocate(valueBytes);
  }

  /** Takes the next chunk of a write; the last one makes it a `set`. Throws BAD_ARGUMENT. */
  receive(chunk: Buffer): void {
    const buffer = this.#buffer as Buffer;
    if (chunk.length > BULK_CHUNK_BYTES) {
      throw this.badArgument(`a chunk of ${chunk.length} bytes; allowed are ${BULK_CHUNK_BYTES}`);
    }
    if (this.#done + chunk.length > buffer.length) {
      throw this.badArgument(`${this.#done + chunk.length} bytes in chunks where ${buffer.length} were announced`);
    }
    this.#done += chunk.copy(buffer, this.#done);
    if (this.#done === buffer.length) this.#store(buffer);
    else this.target.send({ transfer: this.id });
  }

  /** Sends the next chunk of a read. */
  sendChunk(): void {
    const buffer = this.#buffer as Buffer;
    const isFirst = this.#done === 0;
    const chunk = buffer.subarray(this.#done, this.#done + BULK_CHUNK_BYTES);
    this.#done += chunk.length;
    this.target.send({ transfer: this.id, chunk, ...(isFirst ? this.#opening(buffer.length) : {}) });
    if (this.#done === buffer.length) this.end();
  }

  /** Gives up what is left of the transfer and says nothing. A write that the loader has already may still be applied. */
  end(): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    if (this.#buffer) this.target.budget.release(this.#buffer.length);
    this.#buffer = undefined;
    this.target.ended(this);
  }

  badArgument(message: string): LarderError {
    const outcome = this.phase === 'storing' ? 'unknown' : 'not-applied';
    return new LarderError('BAD_ARGUMENT', `transfer ${this.id}: ${message}`, { outcome });
  }

  // Reply: the loader's answer.

  entry(ref: EntryRef): void {
    const { memory } = this.operation.cache;
    const bytes = memory.valueBytes(ref);
    if (this.kind === OperationKind.entry) {
      const ttlMs = memory.remainingMs(ref);
      const life = ttlMs === TTL_NONE ? {} : { ttlMs };
      this.#facts = { id: this.id, found: true, epoch: memory.epoch(ref), seq: memory.seq(ref), ...life };
    }
    this.#answerValue(bytes, (target) => memory.copyValue(ref, 0, bytes, target, 0));
  }

  value(bytes: Uint8Array, stale: boolean): void {
    if (this.kind === OperationKind.entry) this.#facts = { id: this.id, found: true, stale };
    this.#answerValue(bytes.length, (target) => target.set(bytes));
  }

  copied({ bytes, epoch, seq, remainingMs, stale }: CopiedEntry): void {
    if (this.kind === OperationKind.entry) {
      const life = remainingMs === TTL_NONE ? {} : { ttlMs: remainingMs };
      this.#facts = { id: this.id, found: true, epoch, seq, stale, ...life };
    }
    this.#answerValue(bytes.length, (target) => target.set(bytes));
  }

  miss(): void {
    this.#finish({ transfer: this.id, reply: { id: this.id } });
  }

  leased(): void {
    this.miss();
  }

  refusedFill(): void {
    this.#finish({ transfer: this.id, reply: { id: this.id, refusedFill: true } });
  }

  written(epoch: number, seq: number, copies: number): void {
    this.#finish({ transfer: this.id, reply: { id: this.id, epoch, seq, copies } });
  }

  found(): void {
    this.#finish({ transfer: this.id, reply: { id: this.id } });
  }

  failed(error: LarderError): void {
    this.#finish(failureReply(this.id, error));
  }

  later(): Reply {
    return this;
  }

  #store(value: Buffer): void {
    const { cache, key, ttlMs } = this.operation;
    this.phase = 'storing';
    // The partition may have gone elsewhere while the chunks came.
    this.partitions.beginTurn();
    if (!this.partitions.serves(key.partition)) {
      this.failed(this.partitions.refusal(key.partition));
      return;
    }
    const reply = this.#committed();
    if (!admitWrite(this.partitions, cache, key.partition, this.write, true, reply)) return;
    const { fill, mode, tags } = this.write;
    if (fill === 0) cache.loader.set(key, value, 0, value.length, ttlMs, reply, this.timeoutMs, mode, tags);
    else cache.loader.fill(key, fill, value, 0, value.length, ttlMs, reply, this.timeoutMs, mode, tags);
  }

  #committed(): CommittedReply {
    const { cache, key } = this.operation;
    return new CommittedReply(this.partitions).to(
      this,
      cache.memory,
      key.partition,
      this.isWrite,
      this.write.ownerOnly,
    );
  }

  #answerValue(bytes: number, copy: (target: Buffer) => void): void {
    if (this.phase === 'ended') return;
    try {
      this.#buffer = this.#allocate(bytes);
    } catch (error) {
      this.failed(toLarderError(error));
      return;
    }
    copy(this.#buffer);
    this.phase = 'sending';
    this.sendChunk();
  }

  #opening(valueBytes: number): Pick<BulkResponse, 'valueBytes' | 'reply'> {
    return this.#facts ? { valueBytes, reply: this.#facts } : { valueBytes };
  }

  #finish(response: BulkResponse): void {
    if (this.phase === 'ended') return;
    this.target.send(response);
    this.end();
  }

  #allocate(bytes: number): Buffer {
    const { budget } = this.target;
    if (!budget.take(bytes)) throw budget.exhausted(bytes, this.isWrite ? 'not-applied' : undefined);
    return Buffer.allocUnsafeSlow(bytes);
  }
}
