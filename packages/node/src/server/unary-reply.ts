import type { CopiedEntry, EntryMemory, EntryRef, Reply } from '@larder/loader';
import { type LarderError, TTL_NONE } from '@larder/proto';

/** GetResponse, SetResponse, DeleteResponse and ExpireResponse of larder/v1/cache.proto in one. */
export interface UnaryResponse {
  readonly value?: Uint8Array;
  readonly epoch?: number;
  readonly seq?: number;
  readonly ttlMs?: number;
  readonly stale?: boolean;
  readonly copies?: number;
  readonly found?: boolean;
}

export type UnaryAnswer = (error: LarderError | undefined, response?: UnaryResponse) => void;

/** Answers one unary call. */
export class UnaryReply implements Reply {
  constructor(
    readonly memory: EntryMemory,
    readonly answer: UnaryAnswer,
  ) {}

  entry(ref: EntryRef): void {
    const { memory } = this;
    const value = Buffer.allocUnsafe(memory.valueBytes(ref));
    memory.copyValue(ref, 0, value.length, value, 0);
    const ttlMs = memory.remainingMs(ref);
    const life = ttlMs === TTL_NONE ? {} : { ttlMs };
    this.answer(undefined, { value, epoch: memory.epoch(ref), seq: memory.seq(ref), ...life });
  }

  value(bytes: Uint8Array, stale: boolean): void {
    this.answer(undefined, { value: bytes, stale });
  }

  copied({ bytes, epoch, seq, remainingMs, stale }: CopiedEntry): void {
    this.answer(undefined, {
      value: bytes,
      epoch,
      seq,
      stale,
      ...(remainingMs === TTL_NONE ? {} : { ttlMs: remainingMs }),
    });
  }

  miss(): void {
    this.answer(undefined, {});
  }

  /** Unary calls ask for no leases, and fill none. */
  leased(): void {
    this.miss();
  }

  refusedFill(): void {
    this.answer(undefined, {});
  }

  written(epoch: number, seq: number, copies: number): void {
    this.answer(undefined, { epoch, seq, copies });
  }

  found(found: boolean): void {
    this.answer(undefined, { found });
  }

  failed(error: LarderError): void {
    this.answer(error);
  }

  later(): Reply {
    return this;
  }
}
