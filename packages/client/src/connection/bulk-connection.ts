import { cacheService, failureToError, LarderError, toLarderError } from '@larder/proto';
import { type BulkReply, type BulkResponse, BulkTransfer, decodeResponse, factsOf } from './bulk-transfer.js';
import type { BulkFacts, Call, Carrier } from './call.js';
import { closedError, decodeError, forgottenError, nodeError, timeoutError } from './call-errors.js';
import { type ConnectionEvents, type SessionOptions, WITHDRAWAL_MS } from './connection-events.js';
import { PendingBytes } from './pending-bytes.js';
import { type LinkOwner, StreamLink } from './stream-link.js';
import { Sweeper } from './sweeper.js';
import { WaitingCalls } from './waiting-calls.js';

/**
 * Large values between this client and one node, on a connection of their own: chunks of 64 KiB, one outstanding per
 * value, so that neither side's event loop is held for long and small calls are not held up (transport study, section 4).
 * Used only while the session to the same node stands, so a node that is away is the session's matter.
 */

/** Transfers at the same time; others wait. More would only compete for the same connection. */
const TRANSFERS_MAX = 16;
/** At the bound: BUSY. */
const WAITING_MAX = 65_536;
const SWEEP_PERIOD_MS = 20;

export class BulkConnection implements Carrier, LinkOwner {
  readonly #link: StreamLink;
  readonly #transfers = new Map<number, BulkTransfer>();
  readonly #waiting = new WaitingCalls(WAITING_MAX);
  readonly #sweeper: Sweeper;
  readonly #factsOfWaiting = new WeakMap<Call, BulkFacts>();
  readonly #pendingBytes: PendingBytes;
  #nextId = 1;
  /** When calls whose keys have other owners are taken back. */
  #withdrawalAtMs = Number.POSITIVE_INFINITY;
  #isRetired = false;
  /** The node has spoken on the stream. */
  #isHeard = false;

  constructor(
    readonly node: string,
    readonly address: string,
    readonly options: SessionOptions,
    readonly events: ConnectionEvents,
  ) {
    const { clock, random } = options;
    const { path } = cacheService.Bulk!;
    this.#pendingBytes = new PendingBytes(node, options.pendingBytesMax);
    this.#link = new StreamLink({ node, address, path, clock, random, isGreeted: false }, this);
    this.#sweeper = new Sweeper(clock, SWEEP_PERIOD_MS, (nowMs) => this.#sweep(nowMs));
  }

  /** Calls that somebody waits for. */
  get unsettled(): number {
    return this.#transfers.size + this.#waiting.length;
  }

  /** A call's frame is 1 once its last chunk was handed over: before, the node has no value that it could apply. */
  hasSent(frame: number): boolean {
    return frame > 0;
  }

  /** A transfer that nobody waits for is cancelled, and sends no chunk from then on. */
  willSend(frame: number): boolean {
    return frame > 0;
  }

  /** Starts or queues the transfer of the call's value. `facts` is what the session said of the value to read. */
  submit(call: Call, facts?: BulkFacts): void {
    const fault = this.#link.phase === 'closed' ? closedError(call) : this.#pendingBytes.admit(call);
    if (fault) call.reject(fault);
    else this.#admit(call, facts);
  }

  /** Another view is in force: gives back what has not begun, and soon what is under way and belongs elsewhere. */
  ownersChanged(): void {
    for (const call of this.#waiting.takeAll()) {
      this.#pendingBytes.forget(call);
      this.events.callMisplaced(call);
    }
    if (this.#transfers.size > 0) this.#withdrawalAtMs = this.options.clock.monotonicMs() + WITHDRAWAL_MS;
  }

  /** Takes no more calls and ends when the last transfer is done. */
  retire(): void {
    this.#isRetired = true;
    this.ownersChanged();
    this.#closeWhenDone();
  }

  close(): void {
    this.#sweeper.stop();
    this.#link.close();
    for (const call of [...this.#takeTransfers(), ...this.#waiting.takeAll()]) call.reject(closedError(call));
  }

  // LinkOwner

  opened(): void {}

  losing(): void {}

  received(message: Buffer): void {
    this.#link.ready();
    this.#isHeard = true;
    try {
      this.#receive(message);
    } catch (error) {
      const { reason } = toLarderError(error);
      this.#link.lose(
        new LarderError('INTERNAL', `node ${this.node} does not keep to the protocol of Bulk: ${reason}`, {
          node: this.node,
          cause: error,
        }),
      );
    }
  }

  lost(error: LarderError): void {
    const wasHeard = this.#isHeard;
    this.#isHeard = false;
    for (const call of this.#takeTransfers()) {
      if (call.settled) continue;
      if (wasHeard || this.hasSent(call.frame) || !error.retryable) this.events.callLost(call, error);
      // It may never have reached the node, so this is no sign that the call is what breaks connections.
      else this.events.callMisplaced(call);
    }
    if (this.#isRetired) this.close();
  }

  #admit(call: Call, facts: BulkFacts | undefined): void {
    if (!this.#waiting.push(call)) {
      const message = `more than ${WAITING_MAX} large values are waiting for node ${this.node}`;
      this.#pendingBytes.forget(call);
      call.reject(new LarderError('BUSY', message, { outcome: call.outcomeIfLost, node: this.node }));
      return;
    }
    if (facts) this.#factsOfWaiting.set(call, facts);
    this.#sweeper.start();
    this.#beginWaiting();
  }

  /** Whatever may begin now. While the link rests after a loss all wait: the node is there, its session says so. */
  #beginWaiting(): void {
    if (this.#waiting.length === 0 || this.#transfers.size >= TRANSFERS_MAX) return;
    this.#link.open();
    while (this.#link.stream !== undefined && this.#transfers.size < TRANSFERS_MAX) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      if (call.settled) this.#pendingBytes.forget(call);
      else if (call.isForgotten(this.options.numbers)) this.#refuse(call, forgottenError(call));
      else this.#begin(call, this.#factsOfWaiting.get(call));
    }
  }

  #begin(call: Call, facts: BulkFacts | undefined): void {
    const transfer = new BulkTransfer(this.#nextId++, call, facts);
    this.#transfers.set(transfer.id, transfer);
    call.carrier = this;
    call.frame = 0;
    call.enlist(this.options.numbers);
    const leftMs = Math.max(1, Math.ceil(call.deadlineMs - this.options.clock.monotonicMs()));
    this.#write(transfer, transfer.begin(leftMs, this.options.numbers));
  }

  #write(transfer: BulkTransfer, message: Buffer): void {
    if (transfer.isComplete) transfer.call.frame = 1;
    this.#link.stream?.write(message);
  }

  #receive(message: Buffer): void {
    const response = decodeResponse(message);
    const { reply } = response;
    const transfer = this.#transfers.get(response.transfer);
    // One that was cancelled: its last answer was on its way.
    if (transfer === undefined) return;
    if (transfer.call.settled) this.#cancel(transfer);
    else if (reply) this.#receiveReply(transfer, response, reply);
    else this.#step(transfer, response);
  }

  /** A read's first chunk comes with what is known of the value; else a reply is the node's last word. */
  #receiveReply(transfer: BulkTransfer, response: BulkResponse, reply: BulkReply): void {
    if (reply.failure) {
      this.#end(transfer);
      this.events.callFailed(transfer.call, nodeError(transfer.call, failureToError(reply.failure), this.node));
      return;
    }
    transfer.facts = factsOf(reply);
    if (!transfer.isWrite && reply.found) this.#step(transfer, response);
    else this.#settle(transfer);
  }

  #step(transfer: BulkTransfer, response: BulkResponse): void {
    const next = transfer.step(response);
    if (next) this.#write(transfer, next);
    else this.#settle(transfer);
  }

  #cancel(transfer: BulkTransfer): void {
    this.#link.stream?.write(transfer.cancel());
    this.#end(transfer);
  }

  #settle(transfer: BulkTransfer): void {
    const { call, facts, received } = transfer;
    this.#end(transfer);
    let value: unknown;
    try {
      value = call.answer.readBulk?.(received, facts, call);
    } catch (error) {
      call.reject(decodeError(call, error));
      return;
    }
    call.resolve(value);
  }

  #end(transfer: BulkTransfer): void {
    this.#transfers.delete(transfer.id);
    this.#pendingBytes.forget(transfer.call);
    this.#beginWaiting();
    if (this.#isRetired) this.#closeWhenDone();
  }

  #refuse(call: Call, error: LarderError): void {
    this.#pendingBytes.forget(call);
    call.reject(error);
  }

  #takeTransfers(): Call[] {
    const calls = [...this.#transfers.values()].map((transfer) => transfer.call);
    this.#transfers.clear();
    for (const call of calls) this.#pendingBytes.forget(call);
    return calls;
  }

  #closeWhenDone(): void {
    if (this.unsettled === 0) this.close();
  }

  #sweep(nowMs: number): boolean {
    if (nowMs >= this.#withdrawalAtMs) this.#withdraw();
    this.#waiting.removeIf((call) => {
      const isToGo = call.settled || call.deadlineMs <= nowMs;
      if (!isToGo) return false;
      this.#refuse(call, this.#timeout(call));
      return true;
    });
    for (const transfer of [...this.#transfers.values()]) {
      const { call } = transfer;
      if (!call.settled && call.deadlineMs > nowMs) continue;
      call.reject(this.#timeout(call));
      this.#cancel(transfer);
    }
    this.#beginWaiting();
    return this.unsettled > 0;
  }

  #withdraw(): void {
    this.#withdrawalAtMs = Number.POSITIVE_INFINITY;
    for (const transfer of [...this.#transfers.values()]) {
      const { call } = transfer;
      if (call.settled || !this.events.isMisplaced(call, this.node, this.address)) continue;
      this.#cancel(transfer);
      this.events.callLeft(call);
    }
  }

  #timeout(call: Call): LarderError {
    return timeoutError(call, this.node, call.timeoutMs || this.options.timeoutMs);
  }
}
