import {
  LarderError,
  type OperationExtras,
  OperationKind,
  type Outcome,
  type SessionResponseReader,
} from '@larder/proto';
import type { RequestNumbers } from '../request-numbers.js';

/** Turns the success reply that the reader stands at into what the caller gets. */
export interface AnswerReader<T = unknown> {
  read(reply: SessionResponseReader, call: Call): T;
  /** The answer of a transfer by Bulk: `bytes` is a buffer of its own, undefined for a miss and for writes. */
  readBulk?(bytes: Buffer | undefined, facts: BulkFacts, call: Call): T;
  /** Nobody waits for this success any more: what it has promised the caller is to be given back. Must not throw. */
  discard?(reply: SessionResponseReader, call: Call): void;
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
  /** How often it had to pause before it was tried again. */
  detours = 0;
  /** Of a write, the number that names it; of a read, that of the last write before it. 0 until it is sent. */
  order = 0;
  /** The lost count of its partition in the view by which it was sent last, and the cluster of that view. */
  lost = 0;
  cluster: string | undefined = undefined;
  /** A write of which an earlier try may have been applied. */
  mayBeApplied = false;
  private numbers: RequestNumbers | undefined = undefined;
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
    /** An Acknowledgement of the wire. */
    readonly ack: number,
    readonly extras: OperationExtras | undefined,
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
    return this.mayBeApplied || this.carrier?.hasSent(this.frame) ? 'unknown' : 'not-applied';
  }

  /** What it means that the caller waits no longer: a write that is in a frame already cannot be taken back. */
  get outcomeIfGivenUp(): Outcome | undefined {
    if (!this.isWrite) return undefined;
    return this.mayBeApplied || this.carrier?.willSend(this.frame) ? 'unknown' : 'not-applied';
  }

  /** The number under which a write travels; 0 for a read. */
  get request(): number {
    return this.isWrite ? this.order : 0;
  }

  /** It is about to be sent. A write that was sent before keeps its number. */
  enlist(numbers: RequestNumbers): void {
    if (!this.isWrite) {
      this.order = numbers.last;
    } else if (this.order < numbers.settledBelow) {
      this.numbers = numbers;
      this.order = numbers.next();
    }
  }

  /** A write in doubt whose number is settled: sent again it might be applied twice. */
  isForgotten(numbers: RequestNumbers): boolean {
    return this.mayBeApplied && this.order < numbers.settledBelow;
  }

  /** What was sent is over, with or without an answer, and it may be sent again. */
  recall(outcome: Outcome | undefined): void {
    if (outcome === 'unknown') this.mayBeApplied = true;
    this.carrier = undefined;
  }

  /** Holds this call's place until the node's answer, which nobody waits for, has come. */
  standIn(): Call {
    const { cache, kind, answer, ack } = this;
    const key = answer.discard === undefined ? '' : this.key;
    const standIn = new Call(cache, kind, key, undefined, 0, 0, answer, ack, undefined, ignore, ignore);
    standIn.settled = true;
    standIn.deadlineMs = this.deadlineMs;
    return standIn;
  }

  resolve(value: unknown): void {
    if (this.settled) return;
    this.settle();
    this.resolvePromise(value);
  }

  /** What the error says of the outcome holds for the last try only. */
  reject(error: LarderError): void {
    if (this.settled) return;
    this.settle();
    this.rejectPromise(this.mayBeApplied ? inDoubt(error) : error);
  }

  private settle(): void {
    this.settled = true;
    this.numbers?.settle(this.order);
    this.onSettled?.();
  }
}

function ignore(): void {}

function inDoubt(error: LarderError): LarderError {
  if (error.outcome === 'unknown') return error;
  const { code, reason, node, cause, details } = error;
  return new LarderError(code, reason, { outcome: 'unknown', node, cause, details });
}
