import type { Clock, Random } from '@larder/base';
import {
  type ClientView,
  cacheService,
  LarderError,
  PROTOCOL_VERSION,
  SESSION_OPERATIONS_MAX,
  SESSION_VALUE_BYTES_MAX,
  type SessionResponseReader,
  toLarderError,
} from '@larder/proto';
import { encodeKey, keyScratch } from '../keys.js';
import { answerCall, factsOf, isAnsweredByBulk } from './answer-call.js';
import type { BulkFacts, Call, Carrier } from './call.js';
import { closedError, lostError, nodeError, pendingBytesError, timeoutError } from './call-errors.js';
import { Deadlines } from './deadlines.js';
import { Inbox, type InboxOwner } from './inbox.js';
import { Outbox } from './outbox.js';
import { Slots } from './slots.js';
import { type LinkOwner, type LinkStream, StreamLink } from './stream-link.js';
import { Sweeper } from './sweeper.js';
import { WaitingCalls } from './waiting-calls.js';

/**
 * All operations between this client and one node: a single stream. Calls of one turn leave as a frame (outbox.ts), replies
 * are handled in slices (inbox.ts).
 *
 * Nothing but `hello` is sent before the node has answered it, so that calls to a node that is not there have certainly
 * not been applied. What cannot be sent waits: for the node's first word, for a slot, for room in the outbox.
 *
 * A stream that breaks fails the writes that were under way (`unknown`) and hands the reads back (`callLost`). While the
 * node is away writes fail at once; reads wait for it until their deadline, during the first AWAIT_RETURN_MS: long
 * enough for a restart, and afterwards a node that stays away costs its callers no time.
 */

/**
 * Replies handled before yielding: a quarter of what is outstanding, within these. 128 sets of 100 bytes fill one frame;
 * 256 make a frame and a rest that waits for its write: 18 to 44 % fewer sets a second (`bench set`, 4,096 callers).
 */
const SLICE_REPLIES_MIN = 32;
const SLICE_REPLIES_MAX = 128;
/** At the bound: BUSY. */
const WAITING_CALLS_MAX = 1_000_000;
/** How late a timeout may be noticed. */
const SWEEP_PERIOD_MS = 20;
const AWAIT_RETURN_MS = 5_000;
export interface SessionOptions {
  readonly clientName: string;
  readonly timeoutMs: number;
  /** Values on their way to one node, on its session and, again, on Bulk. At the bound: BUSY. */
  readonly pendingBytesMax: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** What connections tell their client. */
export interface ConnectionEvents {
  viewReceived(view: ClientView): void;
  /** The node answered with a failure. */
  callFailed(call: Call, error: LarderError): void;
  /** The connection broke before the node answered. */
  callLost(call: Call, error: LarderError): void;
  /** The call waits, unsent, for a node that may not own its key any more. */
  callMisplaced(call: Call): void;
  /** Also for each attempt that fails; `isFirst` once, until `connectionReady`. */
  connectionLost(node: string, error: LarderError, isFirst: boolean): void;
  connectionReady(node: string): void;
}

export class SessionConnection implements Carrier, LinkOwner, InboxOwner {
  readonly #link: StreamLink;
  readonly #slots = new Slots(SESSION_OPERATIONS_MAX);
  readonly #waiting = new WaitingCalls(WAITING_CALLS_MAX);
  readonly #outbox = new Outbox(() => this.#sendWaiting());
  readonly #inbox = new Inbox(this);
  readonly #deadlines: Deadlines;
  readonly #sweeper: Sweeper;
  /** Handles that this stream knows. */
  readonly #opened = new Set<number>();
  #isReady = false;
  #isRetired = false;
  #nowMs = 0;
  /** Of values in slots and waiting. */
  #pendingBytes = 0;

  constructor(
    readonly node: string,
    readonly address: string,
    readonly options: SessionOptions,
    readonly events: ConnectionEvents,
    /** Takes calls whose value is too large for the session. */
    readonly sendBulk: (call: Call, facts?: BulkFacts) => void,
  ) {
    const { clock, random } = options;
    const { path } = cacheService.Session!;
    this.#link = new StreamLink({ node, address, path, clock, random, isGreeted: true }, this);
    this.#deadlines = new Deadlines(this.#slots, this.#waiting, {
      unanswered: (call) => call.reject(timeoutError(call, node, call.timeoutMs || options.timeoutMs)),
      unsent: (call) => this.#leaveUnsent(call),
    });
    this.#sweeper = new Sweeper(clock, SWEEP_PERIOD_MS, (nowMs) => this.#sweep(nowMs));
  }

  /** Calls that somebody waits for. */
  get unsettled(): number {
    return this.#slots.unsettled + this.#waiting.length;
  }

  hasSent(frame: number): boolean {
    return this.#outbox.hasSent(frame);
  }

  willSend(): boolean {
    return true;
  }

  /** Sends the call whose key was just encoded into `keyScratch`. */
  submit(call: Call, keyBytes: number): void {
    if (this.#outbox.writer.at === 0) this.#nowMs = this.options.clock.monotonicMs();
    let { timeoutMs } = call;
    if (call.deadlineMs === 0) call.deadlineMs = this.#nowMs + (timeoutMs || this.options.timeoutMs);
    else timeoutMs = this.#leftMs(call);
    if (!this.#sweeper.isRunning) this.#sweeper.start();
    this.#deadlines.watch(call);
    if (call.value !== undefined && !this.#admitValue(call, call.value.length)) return;
    if (this.#isReady && this.#waiting.length === 0 && !this.#outbox.isFull && !isLarge(call)) {
      const slot = this.#slots.take(call);
      if (slot >= 0) {
        this.#send(call, slot, keyBytes, timeoutMs);
        return;
      }
    }
    this.#submitLater(call);
  }

  /** Gives back the calls that have not been sent. */
  releaseWaiting(): void {
    for (const call of this.#waiting.takeAll()) {
      this.#forgetValue(call);
      this.events.callMisplaced(call);
    }
  }

  /** The view does not name this node any more: takes no more calls and ends when the last one is answered. */
  retire(): void {
    this.#isRetired = true;
    this.releaseWaiting();
    this.#closeWhenDone();
  }

  /** Ends the stream at once. Calls in flight fail with CLOSED. */
  close(): void {
    this.#isReady = false;
    this.#sweeper.stop();
    this.#link.close();
    const calls = [...this.#slots.releaseAll(), ...this.#waiting.takeAll()];
    for (const call of calls) if (!call.settled) call.reject(closedError(call));
    this.#forgetStream();
  }

  // LinkOwner

  opened(stream: LinkStream): void {
    this.#outbox.reset(stream);
    this.#inbox.reset(stream);
    this.#outbox.writer.hello(PROTOCOL_VERSION, this.options.clientName, this.options.timeoutMs);
    this.#outbox.appended();
  }

  received(frame: Buffer): void {
    this.#deadlines.heardMs = this.options.clock.monotonicMs();
    this.#inbox.receive(frame);
  }

  losing(): void {
    this.#inbox.finish();
  }

  lost(error: LarderError, isFirst: boolean): void {
    this.#isReady = false;
    this.#nowMs = this.options.clock.monotonicMs();
    const sent = this.#slots.releaseAll();
    for (const call of sent) this.#forgetValue(call);
    for (const call of sent) if (!call.settled) this.events.callLost(call, error);
    this.#waiting.removeIf((call) => !this.#staysWaiting(call));
    this.#forgetStream();
    if (this.#isRetired) this.close();
    else this.events.connectionLost(this.node, error, isFirst);
  }

  // InboxOwner

  repliesMax(): number {
    return Math.min(SLICE_REPLIES_MAX, Math.max(SLICE_REPLIES_MIN, this.#slots.used >>> 2));
  }

  reply(reader: SessionResponseReader): void {
    const call = this.#slots.release(reader.id);
    if (call === undefined) {
      throw new LarderError('INTERNAL', `it answered operation ${reader.id}, which is not in flight`);
    }
    if (call.value !== undefined) this.#pendingBytes -= call.value.length;
    if (call.settled) return;
    if (reader.failure !== undefined) this.events.callFailed(call, nodeError(call, reader.failure, this.node));
    else if (isAnsweredByBulk(call, reader)) this.sendBulk(call, factsOf(reader));
    else answerCall(call, reader);
  }

  view(view: ClientView): void {
    // First, since a node whose view cannot be used is not ready for anything, and one that it does not name is retired.
    this.events.viewReceived(view);
    const wasLost = this.#link.lastError !== undefined;
    this.#link.ready();
    this.#isReady = this.#link.phase === 'ready';
    if (wasLost && this.#isReady) this.events.connectionReady(this.node);
  }

  sliceDone(): void {
    if (this.#waiting.length > 0) this.#sendWaiting();
    if (this.#isRetired) this.#closeWhenDone();
  }

  malformed(error: Error): void {
    const { reason } = toLarderError(error);
    this.#link.lose(
      new LarderError('INTERNAL', `node ${this.node} does not keep to the protocol: ${reason}`, {
        node: this.node,
        cause: error,
      }),
    );
  }

  #send(call: Call, slot: number, keyBytes: number, timeoutMs: number): void {
    const { cache } = call;
    const outbox = this.#outbox;
    const { writer } = outbox;
    if (!this.#opened.has(cache.handle)) {
      this.#opened.add(cache.handle);
      writer.open(cache.handle, cache.name);
    }
    call.carrier = this;
    call.frame = outbox.frame;
    writer.operation(slot, call.kind, cache.handle, keyScratch, keyBytes, call.value, call.ttlMs, timeoutMs);
    outbox.appended();
  }

  #submitLater(call: Call): void {
    this.#link.open();
    if (this.#link.phase === 'closed') {
      this.#refuse(call, closedError(call));
    } else if (this.#isReady && this.#waiting.length === 0 && isLarge(call)) {
      this.#forgetValue(call);
      this.sendBulk(call);
    } else if (this.#link.lastError !== undefined && !this.#mayAwaitReturn(call)) {
      this.#refuse(call, this.#unreachable(call));
    } else if (!this.#waiting.push(call)) {
      const message = `more than ${WAITING_CALLS_MAX} calls are waiting for node ${this.node}`;
      this.#refuse(call, new LarderError('BUSY', message, { outcome: call.outcomeIfLost, node: this.node }));
    }
  }

  #sendWaiting(): void {
    if (!this.#isReady) return;
    this.#nowMs = this.options.clock.monotonicMs();
    for (let call = this.#waiting.peek(); call && !this.#outbox.isFull; call = this.#waiting.peek()) {
      if (call.settled) {
        this.#forgetValue(call);
      } else if (isLarge(call)) {
        this.#forgetValue(call);
        this.sendBulk(call);
      } else {
        const slot = this.#slots.take(call);
        if (slot < 0) return;
        this.#send(call, slot, encodeKey(call.key), this.#leftMs(call));
      }
      this.#waiting.shift();
    }
  }

  #leftMs(call: Call): number {
    return Math.max(1, Math.ceil(call.deadlineMs - this.#nowMs));
  }

  #admitValue(call: Call, valueBytes: number): boolean {
    if (this.#pendingBytes + valueBytes > this.options.pendingBytesMax) {
      call.reject(pendingBytesError(call, this.node, this.options.pendingBytesMax));
      return false;
    }
    this.#pendingBytes += valueBytes;
    return true;
  }

  #forgetValue(call: Call): void {
    if (call.value !== undefined) this.#pendingBytes -= call.value.length;
  }

  #refuse(call: Call, error: LarderError): void {
    this.#forgetValue(call);
    call.reject(error);
  }

  /** Of calls that had not been sent when the connection broke. */
  #staysWaiting(call: Call): boolean {
    if (!call.settled && !this.#isRetired && this.#mayAwaitReturn(call)) return true;
    this.#forgetValue(call);
    if (call.settled) return false;
    if (this.#isRetired) this.events.callMisplaced(call);
    else call.reject(this.#unreachable(call));
    return false;
  }

  #mayAwaitReturn(call: Call): boolean {
    const { lastError, lostAtMs } = this.#link;
    return !call.isWrite && lastError?.retryable === true && this.#nowMs - lostAtMs < AWAIT_RETURN_MS;
  }

  #unreachable(call: Call): LarderError {
    const { lastError } = this.#link;
    return lostError(call, lastError as LarderError, this.node);
  }

  #forgetStream(): void {
    this.#outbox.reset(undefined);
    this.#inbox.reset(undefined);
    this.#opened.clear();
  }

  #closeWhenDone(): void {
    if (this.#slots.used === 0 && this.#waiting.length === 0) this.close();
  }

  #sweep(nowMs: number): boolean {
    this.#nowMs = nowMs;
    const fault = this.#deadlines.sweep(nowMs);
    if (fault !== undefined) {
      const message = `node ${this.node} at ${this.address} ${fault}`;
      this.#link.lose(new LarderError('UNAVAILABLE', message, { node: this.node }));
    }
    return this.#slots.used + this.#waiting.length > 0;
  }

  /** It was given up, or its time is up, before it could be sent. */
  #leaveUnsent(call: Call): void {
    this.#forgetValue(call);
    if (call.settled) return;
    const isAway = this.#link.lastError !== undefined;
    call.reject(
      isAway ? this.#unreachable(call) : timeoutError(call, this.node, call.timeoutMs || this.options.timeoutMs),
    );
  }
}

function isLarge(call: Call): boolean {
  return call.value !== undefined && call.value.length > SESSION_VALUE_BYTES_MAX;
}
