import { errorToFailure, type LarderError } from '@larder/proto';

/** BulkRequest and BulkResponse of larder/v1/cache.proto as the generated codec gives and takes them. */

export interface BulkRequest {
  readonly transfer: number;
  readonly operation: BulkOperation | null;
  readonly cacheName: string;
  readonly valueBytes: number;
  readonly chunk: Buffer;
  readonly cancel: boolean;
  readonly clientId: number;
  readonly settledBelow: number;
}

export interface BulkOperation {
  readonly kind: number;
  readonly key: Buffer;
  readonly ttlMs?: number;
  readonly timeoutMs: number;
  readonly request: number;
  readonly retry: boolean;
  readonly lost: number;
  readonly ack: number;
  readonly fill: number;
  readonly write: number;
  readonly tags: readonly string[];
}

export interface BulkResponse {
  readonly transfer: number;
  readonly valueBytes?: number;
  readonly chunk?: Uint8Array;
  readonly reply?: BulkReply;
}

export interface BulkReply {
  readonly id: number;
  readonly failure?: ReturnType<typeof errorToFailure>;
  readonly epoch?: number;
  readonly seq?: number;
  readonly copies?: number;
  readonly ttlMs?: number;
  readonly found?: boolean;
  readonly stale?: boolean;
  readonly refusedFill?: boolean;
}

export function failureReply(transfer: number, error: LarderError): BulkResponse {
  return { transfer, reply: { id: transfer, failure: errorToFailure(error) } };
}
