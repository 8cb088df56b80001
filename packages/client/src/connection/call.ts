import type { LarderError, Outcome, SessionResponseReader } from '@larder/proto';
import { OperationKind } from '@larder/proto';

/** Turns the success reply that the reader stands at into what the caller gets. */
export interface AnswerReader {
  read(reply: SessionResponseReader, call: Call): unknown;
  /** The answer of a transfer by Bulk: `bytes` is a buffer of its own, undefined for a miss and for writes. */
  readBulk?(bytes: Buffer | undefined, reply: BulkFacts, call: Call): unknown;
}

/** What is known of a value that came by Bulk. */
export interface BulkFacts {
  readonly epoch: number;
  readonly seq: number;
  /** -1: never expires. */
  readonly ttlMs: number;
  readonly stale: boolean;
  readonly copies: number;
}

/** A cache as sessions know it: by its client-wide handle. */
export interface CacheHandle {
  readonly handle: number;
  readonly name: string;
}

/** One operation from its start until it is settled: all that it takes to send it, also a second time. */
export class Call {
  settled = false;
  /** How often it was sent somewhere. */
  attempts = 0;
  /** Whether bytes of it may have reached a node. */
  sent = false;
  /** The node that it was sent to last. */
  node = '';

  constructor(
    readonly cache: CacheHandle,
    readonly kind: number,
    readonly key: string,
    readonly value: Uint8Array | undefined,
    readonly ttlMs: number,
    /** 0: the session's default. */
    readonly timeoutMs: number,
    readonly answer: AnswerReader,
    private readonly resolvePromise: (value: unknown) => void,
    private readonly rejectPromise: (error: LarderError) => void,
  ) {}

  /** On the session's clock; set when the call is submitted. */
  deadlineMs = 0;
  /** Runs once when the call is settled. */
  onSettled: (() => void) | undefined = undefined;

  get isWrite(): boolean {
    return this.kind === OperationKind.set || this.kind === OperationKind.delete || this.kind === OperationKind.expire;
  }

  /** What a failure of unknown cause means for this call now. */
  get outcomeIfLost(): Outcome | undefined {
    if (!this.isWrite) return undefined;
    return this.sent ? 'unknown' : 'not-applied';
  }

  resolve(value: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.onSettled?.();
    this.resolvePromise(value);
  }

  reject(error: LarderError): void {
    if (this.settled) return;
    this.settled = true;
    this.onSettled?.();
    this.rejectPromise(error);
  }
}
