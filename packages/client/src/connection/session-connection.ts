import type { ClientDuplexStream, Client as GrpcClient, ServiceError } from '@grpc/grpc-js';
import { Backoff, BoundedQueue, type Clock, type Random, type Timer } from '@larder/base';
import {
  type ClientView,
  cacheService,
  LarderError,
  PROTOCOL_VERSION,
  ResponseItem,
  SESSION_OPERATIONS_MAX,
  SessionResponseReader,
  toLarderError,
} from '@larder/proto';
import { encodeKey, keyScratch } from '../keys.js';
import type { Call } from './call.js';
import { fromServiceError, openChannel } from './channel.js';
import { Outbox } from './outbox.js';
import { Slots } from './slots.js';

/**
 * All operations between this client and one node: a single stream. Calls of one turn leave as a frame; of a frame of
 * replies only a slice is resolved before the event loop gets its turn, so that the calls which those callers make next
 * are on their way while the rest is still being resolved, and client and node work at the same time instead of in
 * turns (transport study, section 1: twice the throughput).
 *
 * A stream that breaks fails its calls with UNAVAILABLE; the next call after a back-off opens another.
 */

/** Replies resolved before yielding: a quarter of what is outstanding, within these. Measured in the study. */
const SLICE_REPLIES_MIN = 32;
const SLICE_REPLIES_MAX = 256;
/** Calls that wait for a slot. At the bound: BUSY. */
const WAITING_CALLS_MAX = 1_000_000;
/** How late a timeout may be noticed. */
const SWEEP_PERIOD_MS = 20;
/** Calls are waiting and the node has said nothing at all for so long: the connection is dead, whatever TCP thinks. */
const SILENCE_MS_MAX = 5_000;
const RECONNECT = { firstMs: 50, maxMs: 2_000, jitter: 0.5 };

export interface SessionOptions {
  readonly clientName: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** What a session tells its client. */
export interface SessionEvents {
  viewReceived(view: ClientView): void;
  /** The call failed at the node; not called for calls that were settled meanwhile. */
  callFailed(call: Call, error: LarderError): void;
  /** The value is too large for the session and must be fetched by Bulk. */
  callNeedsBulk(call: Call): void;
  connectionLost(node: string, error: LarderError): void;
  connectionReady(node: string): void;
}

export class SessionConnection {
  readonly #slots = new Slots(SESSION_OPERATIONS_MAX);
  readonly #waiting = new BoundedQueue<Call>(WAITING_CALLS_MAX);
  readonly #outbox = new Outbox(() => this.#stream);
  readonly #reader = new SessionResponseReader();
  readonly #frames = new BoundedQueue<Buffer>(1_000_000);
  readonly #opened = new Set<number>();
  readonly #backoff: Backoff;
  #channel: GrpcClient | undefined;
  #stream: ClientDuplexStream<Buffer, Buffer> | undefined;
  #frameOpen = false;
  #sliceScheduled = false;
  #sweeper: Timer | undefined;
  #nowMs = 0;
  #heardMs = 0;
  #retryAtMs = 0;
  #lost: LarderError | undefined;
  #closed = false;

  constructor(
    readonly node: string,
    readonly address: string,
    readonly options: SessionOptions,
    readonly events: SessionEvents,
  ) {
    this.#backoff = new Backoff(RECONNECT, options.random);
  }

  get inFlight(): number {
    return this.#slots.used + this.#waiting.length;
  }

  /** Sends the call whose key was just encoded into `keyScratch`. */
  submit(call: Call, keyBytes: number): void {
    if (!this.#outbox.scheduled) this.#nowMs = this.options.clock.monotonicMs();
    if (call.deadlineMs === 0) call.deadlineMs = this.#nowMs + (call.timeoutMs || this.options.timeoutMs);
    if (!this.#ready()) {
      this.events.callFailed(call, this.#unavailable(call));
      return;
    }
    if (this.#sweeper === undefined) this.#startSweeping();
    const slot = this.#slots.take(call);
    if (slot < 0) this.#enqueue(call);
    else this.#send(call, slot, keyBytes);
  }

  /** Ends the stream at once. Calls in flight fail with CLOSED. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#drop(new LarderError('CLOSED', 'the client was closed', { node: this.node }));
    this.#sweeper?.cancel();
    this.#sweeper = undefined;
  }

  #send(call: Call, slot: number, keyBytes: number): void {
    const { cache } = call;
    const writer = this.#outbox.writer;
    if (!this.#opened.has(cache.handle)) {
      this.#opened.add(cache.handle);
      writer.open(cache.handle, cache.name);
    }
    call.sent = true;
    call.attempts++;
    call.node = this.node;
    writer.operation(slot, call.kind, cache.handle, keyScratch, keyBytes, call.value, call.ttlMs, call.timeoutMs);
    this.#outbox.appended();
  }

  #enqueue(call: Call): void {
    if (this.#waiting.push(call)) return;
    this.events.callFailed(
      call,
      new LarderError('BUSY', `more than ${WAITING_CALLS_MAX} calls are waiting for node ${this.node}`, {
        outcome: call.isWrite ? 'not-applied' : undefined,
        node: this.node,
      }),
    );
  }

  #sendWaiting(): void {
    while (this.#waiting.length > 0) {
      const call = this.#waiting.peek() as Call;
      if (!call.settled) {
        const slot = this.#slots.take(call);
        if (slot < 0) return;
        this.#send(call, slot, encodeKey(call.key));
      }
      this.#waiting.shift();
    }
  }

  /** Makes sure that there is a stream, unless the last one broke a moment ago. */
  #ready(): boolean {
    if (this.#stream) return true;
    if (this.#closed || this.#nowMs < this.#retryAtMs) return false;
    this.#open();
    return true;
  }

  #open(): void {
    this.#channel ??= openChannel(this.address);
    const definition = cacheService.Session!;
    const stream = this.#channel.makeBidiStreamRequest<Buffer, Buffer>(
      definition.path,
      definition.requestSerialize as (frame: Buffer) => Buffer,
      definition.responseDeserialize as (frame: Buffer) => Buffer,
    );
    this.#stream = stream;
    this.#heardMs = this.#nowMs;
    stream.on('data', (frame: Buffer) => {
      if (stream === this.#stream) this.#receive(frame);
    });
    stream.on('error', (error: ServiceError) => {
      if (stream === this.#stream) this.#lose(fromServiceError(error, this.node, undefined));
    });
    stream.on('end', () => {
      if (stream !== this.#stream) return;
      this.#lose(new LarderError('UNAVAILABLE', `node ${this.node} ended the session`, { node: this.node }));
    });
    this.#outbox.writer.hello(PROTOCOL_VERSION, this.options.clientName, this.options.timeoutMs);
  }

  #receive(frame: Buffer): void {
    if (!this.#frames.push(frame)) {
      this.#lose(new LarderError('INTERNAL', `node ${this.node} sent more frames than can be kept`));
      return;
    }
    if (!this.#sliceScheduled) this.#runSlice();
  }

  readonly #runSlice = (): void => {
    this.#sliceScheduled = false;
    this.#nowMs = this.#heardMs = this.options.clock.monotonicMs();
    try {
      if (this.#handleSlice()) {
        this.#sliceScheduled = true;
        setImmediate(this.#runSlice);
      }
      if (this.#waiting.length > 0) this.#sendWaiting();
    } catch (error) {
      this.#lose(toLarderError(error));
    }
  };

  /** Returns whether there is more. */
  #handleSlice(): boolean {
    const repliesMax = Math.min(SLICE_REPLIES_MAX, Math.max(SLICE_REPLIES_MIN, this.#slots.used >>> 2));
    for (let replies = 0; replies < repliesMax; ) {
      if (!this.#frameOpen && !this.#openFrame()) return false;
      const item = this.#reader.next();
      if (item === ResponseItem.reply) {
        replies++;
        this.#answer();
      } else if (item === ResponseItem.view) {
        this.#greeted();
      } else {
        this.#frameOpen = false;
      }
    }
    return true;
  }

  #openFrame(): boolean {
    const frame = this.#frames.shift();
    if (!frame) return false;
    this.#reader.reset(frame);
    this.#frameOpen = true;
    return true;
  }

  #answer(): void {
    const reader = this.#reader;
    const call = this.#slots.release(reader.id);
    if (!call) {
      throw new LarderError('INTERNAL', `node ${this.node} answered operation ${reader.id}, which is not in flight`);
    }
    if (call.settled) return;
    if (reader.failure) {
      this.events.callFailed(call, withNode(reader.failure, this.node));
    } else if (reader.bulkBytes > 0) {
      this.events.callNeedsBulk(call);
    } else {
      answerCall(call, reader);
    }
  }

  #greeted(): void {
    this.#backoff.reset();
    if (this.#lost) {
      this.#lost = undefined;
      this.events.connectionReady(this.node);
    }
    this.events.viewReceived(this.#reader.view as ClientView);
  }

  /** The stream is of no use any more. */
  #lose(error: LarderError): void {
    this.#retryAtMs = this.options.clock.monotonicMs() + this.#backoff.nextMs();
    this.#lost = error;
    this.#drop(error);
    this.events.connectionLost(this.node, error);
  }

  #drop(error: LarderError): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.on('error', () => {});
    stream?.cancel();
    this.#channel?.close();
    this.#channel = undefined;
    this.#opened.clear();
    this.#outbox.reset();
    this.#frameOpen = false;
    while (this.#frames.shift()) {}
    const lost = this.#slots.releaseAll();
    for (let call = this.#waiting.shift(); call; call = this.#waiting.shift()) lost.push(call);
    for (const call of lost) {
      if (!call.settled) this.events.callFailed(call, lostError(call, error, this.node));
    }
  }

  #unavailable(call: Call): LarderError {
    if (this.#closed) return new LarderError('CLOSED', 'the client was closed', { outcome: call.outcomeIfLost });
    const waitMs = Math.ceil(this.#retryAtMs - this.#nowMs);
    return new LarderError(
      'UNAVAILABLE',
      `node ${this.node} at ${this.address} is unreachable, next try in ${waitMs} ms: ${this.#lost?.reason ?? ''}`,
      { outcome: call.outcomeIfLost, node: this.node, cause: this.#lost },
    );
  }

  #startSweeping(): void {
    this.#heardMs = this.#nowMs;
    this.#sweeper = this.options.clock.every(SWEEP_PERIOD_MS, () => this.#sweep());
  }

  /** Times out what is due; ends the stream when the node has gone silent. */
  #sweep(): void {
    this.#nowMs = this.options.clock.monotonicMs();
    if (this.inFlight === 0) {
      this.#sweeper?.cancel();
      this.#sweeper = undefined;
      return;
    }
    this.#slots.forEachDue(this.#nowMs, (call) => call.reject(this.#timeout(call)));
    for (let call = this.#waiting.peek(); call && call.deadlineMs <= this.#nowMs; call = this.#waiting.peek()) {
      this.#waiting.shift();
      call.reject(this.#timeout(call));
    }
    if (this.#stream && this.#nowMs - this.#heardMs > SILENCE_MS_MAX) {
      this.#lose(new LarderError('UNAVAILABLE', `node ${this.node} was silent for ${SILENCE_MS_MAX} ms`));
    }
  }

  #timeout(call: Call): LarderError {
    const timeoutMs = call.timeoutMs || this.options.timeoutMs;
    return new LarderError('TIMEOUT', `node ${this.node} did not answer within ${timeoutMs} ms`, {
      outcome: call.outcomeIfLost,
      node: this.node,
    });
  }
}

/** Settles the call with the success reply that the reader stands at. */
function answerCall(call: Call, reader: SessionResponseReader): void {
  let value: unknown;
  try {
    value = call.answer.read(reader, call);
  } catch (error) {
    call.reject(new LarderError('CODEC', `the value cannot be decoded: ${String(error)}`, { cause: error }));
    return;
  }
  call.resolve(value);
}

function withNode(error: LarderError, node: string): LarderError {
  return new LarderError(error.code, error.reason, { outcome: error.outcome, node, details: error.details });
}

function lostError(call: Call, error: LarderError, node: string): LarderError {
  const code = error.code === 'CLOSED' || error.code === 'INCOMPATIBLE' ? error.code : 'UNAVAILABLE';
  return new LarderError(code, error.reason, { outcome: call.outcomeIfLost, node, cause: error });
}
