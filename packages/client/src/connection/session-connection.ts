import {
  type ClientView,
  cacheService,
  LarderError,
  SESSION_OPERATIONS_MAX,
  SESSION_VALUE_BYTES_MAX,
  type SessionResponseReader,
  toLarderError,
} from '@larder/proto';
import { encodeKey } from '../keys.js';
import { answerCall, factsOf, isAnsweredByBulk } from './answer-call.js';
import type { BulkFacts, Call, Carrier } from './call.js';
import { closedError, forgottenError, lostError, nodeError, timeoutError } from './call-errors.js';
import { type ConnectionEvents, type SessionOptions, WITHDRAWAL_MS } from './connection-events.js';
import { Deadlines } from './deadlines.js';
import { Inbox, type InboxOwner } from './inbox.js';
import { PendingBytes } from './pending-bytes.js';
import { RequestFrames } from './request-frames.js';
import { Silence } from './silence.js';
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
 * A stream that breaks hands back what was under way (`callLost`), in the order in which it was sent. While the node is away
 * calls wait for it until their deadline. But those that are made when it has been away for longer than they would wait, and
 * for AWAIT_RETURN_MS, fail at once: a node that stays away costs its callers no time. A view that gives it partitions means
 * that it was there a moment ago, so the time counts anew, and nobody waits for the end of a pause.
 *
 * A node that does not answer while the view gives its partitions to others breaks no stream. What is under way there is
 * handed back as well (`callLeft`), unless the answer comes within WITHDRAWAL_MS.
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
/** Four times what failover takes. */
const AWAIT_RETURN_MS = 5_000;

export class SessionConnection implements Carrier, LinkOwner, InboxOwner {
  readonly #link: StreamLink;
  readonly #slots = new Slots(SESSION_OPERATIONS_MAX);
  readonly #waiting = new WaitingCalls(WAITING_CALLS_MAX);
  readonly #frames: RequestFrames;
  readonly #inbox = new Inbox(this);
  readonly #silence = new Silence();
  readonly #pendingBytes: PendingBytes;
  readonly #deadlines: Deadlines;
  readonly #sweeper: Sweeper;
  #isReady = false;
  #isRetired = false;
  #nowMs = 0;
  /** When calls whose keys have other owners are taken back. */
  #withdrawalAtMs = Number.POSITIVE_INFINITY;

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
    this.#frames = new RequestFrames(options, events, this, () => this.#sendWaiting());
    this.#pendingBytes = new PendingBytes(node, options.pendingBytesMax);
    this.#deadlines = new Deadlines(this.#slots, this.#waiting, this.#silence, {
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
    return this.#frames.hasSent(frame);
  }

  willSend(): boolean {
    return true;
  }

  /** Sends the call whose key was just encoded into `keyScratch`. */
  submit(call: Call, keyBytes: number): void {
    // A frame is as old as its first call, but before the session stands the first one may be much older.
    if (this.#frames.isEmpty || !this.#isReady) this.#nowMs = this.options.clock.monotonicMs();
    let { timeoutMs } = call;
    const isNew = call.deadlineMs === 0;
    if (isNew) call.deadlineMs = this.#nowMs + (timeoutMs || this.options.timeoutMs);
    else timeoutMs = this.#leftMs(call);
    if (!this.#sweeper.isRunning) this.#startSweeper();
    this.#deadlines.watch(call);
    const fault = this.#pendingBytes.admit(call);
    if (fault !== undefined) {
      call.reject(fault);
      return;
    }
    if (this.#isReady && this.#waiting.length === 0 && !this.#frames.isFull && !isLarge(call)) {
      const slot = this.#slots.take(call);
      if (slot >= 0) {
        this.#frames.write(call, slot, keyBytes, timeoutMs);
        return;
      }
    }
    this.#submitLater(call, isNew);
  }

  /** Another view is in force: gives back what has not been sent, and soon what is under way and belongs elsewhere. */
  ownersChanged(hasGained: boolean): void {
    if (hasGained) this.#link.expect();
    for (const call of this.#waiting.takeAll()) {
      this.#pendingBytes.forget(call);
      this.events.callMisplaced(call);
    }
    if (this.#slots.used === 0 || this.#withdrawalAtMs !== Number.POSITIVE_INFINITY) return;
    this.#withdrawalAtMs = this.#silence.startMs + WITHDRAWAL_MS;
  }

  /** The view does not name this node any more: takes no more calls and ends when the last one is answered. */
  retire(): void {
    this.#isRetired = true;
    this.ownersChanged(false);
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
    this.#frames.open(stream);
    this.#inbox.reset(stream);
  }

  received(frame: Buffer): void {
    this.#silence.heardMs = this.options.clock.monotonicMs();
    this.#inbox.receive(frame);
  }

  losing(): void {
    this.#inbox.finish();
  }

  lost(error: LarderError, isFirst: boolean): void {
    this.#isReady = false;
    this.#withdrawalAtMs = Number.POSITIVE_INFINITY;
    this.#nowMs = this.options.clock.monotonicMs();
    const sent = this.#slots.releaseAll();
    const waiting = this.#waiting.takeAll();
    for (const call of sent) this.#pendingBytes.forget(call);
    for (const call of inOrder(sent)) if (!call.settled) this.events.callLost(call, error);
    for (const call of waiting) this.#waitOn(call, error);
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
    this.#pendingBytes.forget(call);
    if (call.settled) {
      if (reader.failure === undefined) call.answer.discard?.(reader, call);
      return;
    }
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

  #submitLater(call: Call, isNew: boolean): void {
    this.#link.open();
    if (this.#link.phase === 'closed') {
      this.#refuse(call, closedError(call));
    } else if (this.#isReady && this.#waiting.length === 0 && isLarge(call)) {
      this.#pendingBytes.forget(call);
      this.sendBulk(call);
    } else if (this.#link.lastError !== undefined && !this.#mayAwaitReturn(call, isNew)) {
      this.#refuse(call, this.#unreachable(call));
    } else if (!this.#waiting.push(call)) {
      const message = `more than ${WAITING_CALLS_MAX} calls are waiting for node ${this.node}`;
      this.#refuse(call, new LarderError('BUSY', message, { outcome: call.outcomeIfLost, node: this.node }));
    }
  }

  #sendWaiting(): void {
    if (!this.#isReady) return;
    this.#nowMs = this.options.clock.monotonicMs();
    for (let call = this.#waiting.peek(); call && !this.#frames.isFull; call = this.#waiting.peek()) {
      if (call.settled) {
        this.#pendingBytes.forget(call);
      } else if (isLarge(call)) {
        this.#pendingBytes.forget(call);
        this.sendBulk(call);
      } else if (call.isForgotten(this.options.numbers)) {
        this.#refuse(call, forgottenError(call));
      } else {
        const slot = this.#slots.take(call);
        if (slot < 0) return;
        this.#frames.write(call, slot, encodeKey(call.key), this.#leftMs(call));
      }
      this.#waiting.shift();
    }
  }

  #leftMs(call: Call): number {
    return Math.max(1, Math.ceil(call.deadlineMs - this.#nowMs));
  }

  #refuse(call: Call, error: LarderError): void {
    this.#pendingBytes.forget(call);
    call.reject(error);
  }

  /** The call had not been sent when the connection broke. */
  #waitOn(call: Call, error: LarderError): void {
    if (!call.settled && !this.#isRetired && error.retryable && this.#waiting.push(call)) return;
    this.#pendingBytes.forget(call);
    if (call.settled) return;
    if (this.#isRetired) this.events.callMisplaced(call);
    else call.reject(this.#unreachable(call));
  }

  #mayAwaitReturn(call: Call, isNew: boolean): boolean {
    const { lastError, lostAtMs } = this.#link;
    const awayMsMax = Math.max(AWAIT_RETURN_MS, call.timeoutMs || this.options.timeoutMs);
    return lastError?.retryable === true && (!isNew || this.#nowMs - lostAtMs < awayMsMax);
  }

  #unreachable(call: Call): LarderError {
    const { lastError } = this.#link;
    return lostError(call, lastError as LarderError, this.node);
  }

  #forgetStream(): void {
    this.#frames.reset(undefined);
    this.#inbox.reset(undefined);
  }

  #closeWhenDone(): void {
    if (this.unsettled === 0) this.close();
  }

  #startSweeper(): void {
    this.#silence.begin(this.#nowMs);
    this.#sweeper.start();
  }

  #sweep(nowMs: number): boolean {
    this.#nowMs = nowMs;
    if (nowMs >= this.#withdrawalAtMs) this.#withdraw();
    if (this.#silence.isQuestionDue(nowMs)) this.events.nodeSilent(this.node);
    const fault = this.#deadlines.sweep(nowMs);
    if (fault !== undefined) {
      const message = `node ${this.node} at ${this.address} ${fault}`;
      this.#link.lose(new LarderError('UNAVAILABLE', message, { node: this.node }));
    }
    return this.#slots.used + this.#waiting.length > 0;
  }

  #withdraw(): void {
    this.#withdrawalAtMs = Number.POSITIVE_INFINITY;
    const left = this.#slots.withdraw((call) => this.events.isMisplaced(call, this.node, this.address));
    for (const call of left) this.#pendingBytes.forget(call);
    for (const call of inOrder(left)) this.events.callLeft(call);
    if (this.#isRetired) this.#closeWhenDone();
  }

  /** It was given up, or its time is up, before it could be sent. */
  #leaveUnsent(call: Call): void {
    this.#pendingBytes.forget(call);
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

/** As the calls were sent, a write before the reads that followed it. */
function inOrder(calls: Call[]): Call[] {
  return calls.sort((one, other) => one.order - other.order || Number(other.isWrite) - Number(one.isWrite));
}
