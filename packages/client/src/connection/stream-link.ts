import type { ClientDuplexStream, Client as GrpcClient, ServiceError } from '@grpc/grpc-js';
import { Backoff, type Clock, type Random, type Timer } from '@larder/base';
import { LarderError, toLarderError } from '@larder/proto';
import { fromServiceError, openChannel } from './channel.js';

/**
 * One stream to one node, opened again whenever it breaks.
 *
 *   idle -> connecting -> ready -> resting -> connecting ...      closed, from anywhere and for good
 *              |_____________________^
 *
 * `connecting` lasts until the owner has heard from the node and says `ready`; `resting` is the back-off. Every stream has a
 * channel of its own, which is closed with it: a broken connection is never taken up again, and no two share one.
 */

/** From the first SYN to the node's first word. */
const CONNECT_MS_MAX = 5_000;
const RECONNECT = { firstMs: 50, maxMs: 2_000, jitter: 0.5 };
/** An attempt that is older hangs in the network's own pauses; a new one is quicker when the node is there again. */
const FRESH_ATTEMPT_MS = 1_000;

export type LinkPhase = 'idle' | 'connecting' | 'ready' | 'resting' | 'closed';
export type LinkStream = ClientDuplexStream<Buffer, Buffer>;

export interface LinkOwner {
  /** Bytes written now are the first that the node sees. */
  opened(stream: LinkStream): void;
  received(message: Buffer): void;
  /** The stream is gone, not by `close`. Called before the phase changes, while answers that did arrive may still be read. */
  losing(): void;
  /** The phase is `resting` now. `isFirst`: the first time since it was ready, or at all. */
  lost(error: LarderError, isFirst: boolean): void;
}

export interface LinkOptions {
  readonly node: string;
  readonly address: string;
  /** Of the gRPC method; its messages travel as bytes. */
  readonly path: string;
  readonly clock: Clock;
  readonly random: Random;
  /** The node speaks first: it has a time to do so, and the link opens itself again after a rest. Else the owner does. */
  readonly isGreeted: boolean;
}

const identity = (bytes: Buffer): Buffer => bytes;

export class StreamLink {
  phase: LinkPhase = 'idle';
  /** Why the last stream was lost; undefined once another is ready. */
  lastError: LarderError | undefined;
  /** For as long as the node is away: when it was lost, or when there was news of it last. */
  lostAtMs = 0;
  /** The end of the rest. */
  retryAtMs = 0;
  readonly #backoff: Backoff;
  #attemptAtMs = 0;
  #channel: GrpcClient | undefined;
  #stream: LinkStream | undefined;
  #timer: Timer | undefined;

  constructor(
    readonly options: LinkOptions,
    readonly owner: LinkOwner,
  ) {
    this.#backoff = new Backoff(RECONNECT, options.random);
  }

  get stream(): LinkStream | undefined {
    return this.#stream;
  }

  /** Starts to connect; does nothing if it does already, or rests. */
  open(): void {
    const rested = this.phase === 'resting' && this.options.clock.monotonicMs() >= this.retryAtMs;
    if (this.phase === 'idle' || rested) this.#connect();
  }

  /** There is news of the node. If it is away it is tried at once, and is counted as away from now on. */
  expect(): void {
    if (this.lastError === undefined || this.phase === 'closed') return;
    const nowMs = this.options.clock.monotonicMs();
    this.lostAtMs = nowMs;
    this.#backoff.reset();
    if (this.phase === 'connecting' && nowMs - this.#attemptAtMs < FRESH_ATTEMPT_MS) return;
    this.#dropStream();
    this.#connect();
  }

  /** The node has answered. */
  ready(): void {
    if (this.phase !== 'connecting') return;
    this.#timer?.cancel();
    this.#backoff.reset();
    this.phase = 'ready';
    this.lastError = undefined;
  }

  /** The stream is of no use any more. */
  lose(error: LarderError): void {
    if (this.phase !== 'connecting' && this.phase !== 'ready') return;
    const nowMs = this.options.clock.monotonicMs();
    const restMs = this.#backoff.nextMs();
    const isFirst = this.lastError === undefined;
    if (isFirst) this.lostAtMs = nowMs;
    this.lastError = error;
    this.retryAtMs = nowMs + restMs;
    this.phase = 'resting';
    this.#dropStream();
    if (this.options.isGreeted) this.#timer = this.options.clock.after(restMs, () => this.#connect());
    this.owner.lost(error, isFirst);
  }

  close(): void {
    this.phase = 'closed';
    this.#dropStream();
  }

  #connect(): void {
    this.phase = 'connecting';
    this.#attemptAtMs = this.options.clock.monotonicMs();
    this.#timer?.cancel();
    if (this.options.isGreeted) this.#timer = this.options.clock.after(CONNECT_MS_MAX, this.#notGreeted);
    try {
      this.#openStream();
    } catch (error) {
      this.lose(toLarderError(error, { node: this.options.node }));
    }
  }

  readonly #notGreeted = (): void => {
    this.lose(this.#unavailable(`did not answer within ${CONNECT_MS_MAX} ms`));
  };

  #openStream(): void {
    const { address, path } = this.options;
    this.#channel = openChannel(address);
    const stream = this.#channel.makeBidiStreamRequest<Buffer, Buffer>(path, identity, identity);
    this.#stream = stream;
    stream.on('data', (message: Buffer) => {
      if (stream === this.#stream) this.owner.received(message);
    });
    // The listener stays when the stream is dropped: an `error` that nobody listens to would end the process.
    stream.on('error', (error: ServiceError) => this.#ended(stream, fromServiceError(error, this.options.node)));
    stream.on('end', () => this.#ended(stream, this.#unavailable('ended the stream')));
    this.owner.opened(stream);
  }

  #ended(stream: LinkStream, error: LarderError): void {
    if (stream !== this.#stream) return;
    this.owner.losing();
    if (stream === this.#stream) this.lose(error);
  }

  #dropStream(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#channel?.close();
    this.#channel = undefined;
  }

  #unavailable(what: string): LarderError {
    const { node, address } = this.options;
    return new LarderError('UNAVAILABLE', `node ${node} at ${address} ${what}`, { node });
  }
}
