import type { LarderError, Outcome, SessionResponseReader } from '@larder/proto';
import { OperationKind } from '@larder/proto';

/** Turns the success reply that the reader stands at into what the caller gets. */
export interface AnswerReader<T = unknown> {
  read(reply: SessionResponseReader, call: Call): T;
  /** The answer of a transfer by Bulk: `bytes` is a buffer of its own, undefined for a miss and for writes. */
  readBulk?(bytes: Buffer | undefined, facts: BulkFacts, call: Call): T;
}

/** What is known of a value that travelled by Bulk. */
export interface BulkFacts {
  readonly epoch: number;
  readonly seq: number;
  /** TTL_NONE: never expires. */
  readonly ttlMs: number;
  readonly stale: boolean;
  readonly copies: number;
}

/** A cache as sessions know it: by its client-wide handle. */
export interface CacheHandle {
  readonly handle: number;
  readonly name: string;
}

/** What takes a call to a node. */
export interface Carrier {
  readonly node: string;
  /** Whether that frame may have left this process. If not, and the connection ends now, it never will. */
  hasSent(frame: number): boolean;
  /** Whether that frame may leave, or has left, although nobody waits for the call any more. */
  willSend(frame: number): boolean;
}

/** One operation from its start until it is settled: all that it takes to send it, also a second time. */
export class Call {
  settled = false;
  /** On the client's clock; set when a connection first sees the call. */
  deadlineMs = 0;
  /** Where it was written last, and in which of its frames. */
  carrier: Carrier | undefined = undefined;
  frame = 0;
  /** Connections that broke while this call was under way on them. */
  losses = 0;
  /** How often a node sent it elsewhere. */
  detours = 0;
  /** Runs once when the call is settled. */
  onSettled: (() => void) | undefined = undefined;

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

  get isWrite(): boolean {
    return this.kind === OperationKind.set || this.kind === OperationKind.delete || this.kind === OperationKind.expire;
  }

  /** The node that it was written for last; empty if there was none. */
  get node(): string {
    return this.carrier?.node ?? '';
  }

  /** What the end of the connection means to a write: not applied if its frame has not left. */
  get outcomeIfLost(): Outcome | undefined {
    if (!this.isWrite) return undefined;
    return this.carrier?.hasSent(this.frame) ? 'unknown' : 'not-applied';
  }

  /** What it means that the caller waits no longer: a write that is in a frame already cannot be taken back. */
  get outcomeIfGivenUp(): Outcome | undefined {
    if (!this.isWrite) return undefined;
    return this.carrier?.willSend(this.frame) ? 'unknown' : 'not-applied';
  }

  /** A node has said that it did not do it, or nothing of it has left: as if it had never been sent. */
  recall(): void {
    this.carrier = undefined;
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
