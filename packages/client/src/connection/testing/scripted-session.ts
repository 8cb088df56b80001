import type { ServerDuplexStream } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import {
  type ClientView,
  grpcStatusOf,
  type LarderError,
  RequestItem,
  SessionRequestReader,
  SessionResponseWriter,
} from '@larder/proto';

/** An operation as a node gets it. */
export interface SentOperation {
  readonly session: ScriptedSession;
  readonly id: number;
  readonly kind: number;
  /** The name behind the handle; undefined if the handle was never opened. */
  readonly cache: string | undefined;
  readonly key: string;
  readonly value: Buffer | undefined;
  readonly ttlMs: number;
  readonly timeoutMs: number;
  /** 0 for a read. */
  readonly request: number;
  readonly isRetry: boolean;
  readonly lost: number;
  readonly ack: number;
  readonly lease: boolean;
  readonly fill: number;
  readonly write: number;
  readonly read: number;
}

export interface SentFrame {
  readonly bytes: number;
  /** 0 if the frame does not say. */
  readonly settledBelow: number;
  readonly viewVersion: number;
  readonly operations: readonly SentOperation[];
}

export interface SessionScript {
  readonly view: ClientView;
  /** Whether a session is greeted with the view as soon as it says hello. */
  readonly greets: boolean;
  received(frame: SentFrame): void;
  ended(session: ScriptedSession): void;
}

/** The node's end of one Session stream. */
export class ScriptedSession {
  hello:
    | { readonly protocol: number; readonly name: string; readonly timeoutMs: number; readonly clientId: number }
    | undefined;
  /** Names by handle. */
  readonly caches = new Map<number, string>();
  readonly #reader = new SessionRequestReader();

  constructor(
    readonly stream: ServerDuplexStream<Buffer, Buffer>,
    readonly script: SessionScript,
  ) {
    stream.on('data', (frame: Buffer) => this.#receive(frame));
    stream.on('error', () => {});
    stream.on('close', () => script.ended(this));
    stream.on('cancelled', () => script.ended(this));
    stream.on('end', () => stream.end());
  }

  greet(): void {
    this.send((writer) => writer.view(this.script.view));
  }

  /** One frame. */
  send(write: (writer: SessionResponseWriter) => void): void {
    const writer = new SessionResponseWriter(1024);
    write(writer);
    this.sendBytes(writer.take());
  }

  sendBytes(bytes: Uint8Array): void {
    this.stream.write(Buffer.from(bytes));
  }

  hit(operation: SentOperation, value: Uint8Array): void {
    this.send((writer) => writeHit(writer, operation.id, value));
  }

  miss(operation: SentOperation): void {
    this.send((writer) => writer.miss(operation.id));
  }

  leased(operation: SentOperation, lease: number): void {
    this.send((writer) => writer.leased(operation.id, lease));
  }

  written(operation: SentOperation, seq = 1): void {
    this.send((writer) => writer.written(operation.id, 1, seq, 1));
  }

  failed(operation: SentOperation, error: LarderError): void {
    this.send((writer) => writer.failed(operation.id, error));
  }

  /** All said. */
  end(): void {
    this.stream.end();
  }

  /** Ends the stream with a status, as a node refuses a session. */
  refuse(error: LarderError): void {
    const metadata = new Metadata();
    metadata.set('larder-code', error.code);
    this.stream.emit('error', { code: grpcStatusOf(error.code), details: error.message, metadata });
  }

  #receive(bytes: Buffer): void {
    const reader = this.#reader;
    reader.reset(bytes);
    const operations: SentOperation[] = [];
    for (let item = reader.next(); item !== RequestItem.end; item = reader.next()) {
      if (item === RequestItem.hello) this.#greeted();
      else if (item === RequestItem.open) this.caches.set(reader.cache, reader.name);
      else operations.push(this.#operation(bytes));
    }
    const { settledBelow, viewVersion } = reader;
    this.script.received({ bytes: bytes.length, settledBelow, viewVersion, operations });
  }

  #greeted(): void {
    const { protocol, name, timeoutMs, clientId } = this.#reader;
    this.hello = { protocol, name, timeoutMs, clientId };
    if (this.script.greets) this.greet();
  }

  #operation(bytes: Buffer): SentOperation {
    const { id, kind, cache, keyStart, keyEnd, hasValue, valueStart, valueEnd, ttlMs, timeoutMs } = this.#reader;
    const { requestNumber: request, isRetry, lost, ack, lease, fill, write, read } = this.#reader;
    return {
      session: this,
      id,
      kind,
      cache: this.caches.get(cache),
      key: bytes.toString('utf8', keyStart, keyEnd),
      value: hasValue ? Buffer.from(bytes.subarray(valueStart, valueEnd)) : undefined,
      ttlMs,
      timeoutMs,
      request,
      isRetry,
      lost,
      ack,
      lease,
      fill,
      write,
      read,
    };
  }
}

export function writeHit(writer: SessionResponseWriter, id: number, value: Uint8Array): void {
  const at = writer.hit(id, value.length, false);
  writer.bytes.set(value, at);
}
