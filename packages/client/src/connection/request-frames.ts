import { PROTOCOL_VERSION } from '@larder/proto';
import { keyScratch } from '../keys.js';
import type { Call, Carrier } from './call.js';
import type { ConnectionEvents, SessionOptions } from './connection-events.js';
import { Outbox } from './outbox.js';
import type { LinkStream } from './stream-link.js';

/**
 * What a session says: `hello`, each cache before its first operation, the operations, and, at the head of a frame,
 * what holds for all of it, if that has changed since the stream was told.
 */
export class RequestFrames {
  readonly #outbox: Outbox;
  /** Handles that this stream knows. */
  readonly #opened = new Set<number>();
  #toldSettledBelow = 1;
  #toldViewVersion = 0;

  constructor(
    readonly options: SessionOptions,
    readonly events: ConnectionEvents,
    /** The carrier of all calls that are written. */
    readonly carrier: Carrier,
    /** `isFull` was true and is false again. */
    onRoom: () => void,
  ) {
    this.#outbox = new Outbox(onRoom);
  }

  /** Nothing has been written since the last frame was closed. */
  get isEmpty(): boolean {
    return this.#outbox.writer.at === 0;
  }

  get isFull(): boolean {
    return this.#outbox.isFull;
  }

  /** Whether the stream was given that frame. */
  hasSent(frame: number): boolean {
    return this.#outbox.hasSent(frame);
  }

  open(stream: LinkStream): void {
    this.reset(stream);
    const { clientName, timeoutMs, numbers } = this.options;
    this.#outbox.writer.hello(PROTOCOL_VERSION, clientName, timeoutMs, numbers.clientId);
    this.#begin();
    this.#outbox.appended();
  }

  /** What was not handed over to the last stream is dropped. */
  reset(stream: LinkStream | undefined): void {
    this.#outbox.reset(stream);
    this.#opened.clear();
    this.#toldSettledBelow = 1;
    this.#toldViewVersion = 0;
  }

  /** The call, whose key was just encoded into `keyScratch`. */
  write(call: Call, slot: number, keyBytes: number, timeoutMs: number): void {
    const { cache } = call;
    const outbox = this.#outbox;
    const { writer } = outbox;
    if (writer.at === 0) this.#begin();
    if (!this.#opened.has(cache.handle)) {
      this.#opened.add(cache.handle);
      writer.open(cache.handle, cache.name);
    }
    call.carrier = this.carrier;
    call.frame = outbox.frame;
    call.enlist(this.options.numbers);
    writer.operation(
      slot,
      call.kind,
      cache.handle,
      keyScratch,
      keyBytes,
      call.value,
      call.ttlMs,
      timeoutMs,
      call.request,
      call.mayBeApplied,
      call.lost,
      call.ack,
      call.extras,
    );
    outbox.appended();
  }

  #begin(): void {
    const { writer } = this.#outbox;
    const { settledBelow } = this.options.numbers;
    const { viewVersion } = this.events;
    if (settledBelow !== this.#toldSettledBelow) writer.settledBelow(settledBelow);
    if (viewVersion !== this.#toldViewVersion) writer.viewVersion(viewVersion);
    this.#toldSettledBelow = settledBelow;
    this.#toldViewVersion = viewVersion;
  }
}
