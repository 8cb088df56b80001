import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { Backoff, type Clock, type Random, type Timer } from '@larder/base';
import {
  LarderError,
  type PeerGreeting,
  type PeerIdentity,
  peerService,
  readGreeting,
  type SharedSettings,
  toLarderError,
} from '@larder/proto';
import type { Envelope } from '../replication/messages.js';
import { fromStatus, identity, LinkChannel } from './link-channel.js';
import { LinkOutbox } from './link-outbox.js';
import { faultOfPeer } from './peer-identity.js';
import { faultOfSettings } from './shared-settings.js';

/**
 * The stream on which this node speaks to one other, opened again whenever it breaks.
 *
 *   connecting -> open -> resting -> connecting ...      closed, from anywhere and for good
 *       |___________________^
 *
 * `connecting` lasts until the other has greeted; `resting` is the back-off. Every stream has a channel of its own, which
 * is closed with it. What is sent while the link is not open is dropped.
 *
 * A connection may die without a word. The other side answers while it is spoken to, so a link on which nothing came
 * back for a while is given up. Silence is counted in ticks and not in time: when this process itself stood still, one
 * late tick must not condemn what waits in its sockets.
 */

const RECONNECT = { firstMs: 50, maxMs: 1_000, jitter: 0.5 };
/** Ticks in `silenceMs`. */
export const TICKS_OF_SILENCE = 4;

type Phase = 'connecting' | 'open' | 'resting' | 'closed';

export interface PeerLinkOptions {
  readonly node: string;
  readonly self: () => PeerIdentity;
  readonly settings: SharedSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly unsentBytesMax: number;
}

export interface PeerLinkOwner {
  /** Bytes that are sent from now on are the first of a new stream. */
  opened(node: string): void;
  /** The two do not fit, or the other side took what was sent for nonsense. */
  refused(node: string, error: LarderError): void;
}

export class PeerLink {
  #phase: Phase = 'connecting';
  /** Of the process that greeted. */
  #greeted = '';
  #channel: LinkChannel | undefined;
  #stream: ClientDuplexStream<Buffer, Buffer> | undefined;
  #restTimer: Timer | undefined;
  readonly #backoff: Backoff;
  readonly #outbox: LinkOutbox;
  /** Something was sent that was not followed by an answer yet. */
  #awaitsAnswer = false;
  #silentTicks = 0;

  constructor(
    public address: string,
    readonly options: PeerLinkOptions,
    readonly owner: PeerLinkOwner,
  ) {
    this.#backoff = new Backoff(RECONNECT, options.random);
    this.#outbox = new LinkOutbox(options.node, options.self());
    this.#connect();
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  get unsentBytes(): number {
    return this.#outbox.unsentBytes;
  }

  send(envelope: Envelope): void {
    if (this.#phase !== 'open') return;
    const { node, unsentBytesMax } = this.options;
    const isTaken = this.#outbox.unsentBytes <= unsentBytesMax && this.#outbox.append(envelope);
    this.#awaitsAnswer = true;
    if (isTaken) return;
    const unsent = `${this.#outbox.unsentBytes} bytes wait for node ${node}; allowed are ${unsentBytesMax}`;
    this.#lose(new LarderError('BUSY', unsent, { node }));
  }

  flush(): void {
    this.#outbox.flush();
  }

  /** The view says where the node is, and which start of it counts. */
  moveTo(address: string, incarnation: string): void {
    const isNews = address !== this.address || incarnation !== this.#greeted;
    this.address = address;
    if (!isNews || this.#phase === 'closed') return;
    this.#dropStream();
    this.#backoff.reset();
    this.#connect();
  }

  /** TICKS_OF_SILENCE times in the time after which a silent link is given up. */
  tick(): void {
    const isWaiting = this.#phase === 'connecting' || (this.#phase === 'open' && this.#awaitsAnswer);
    if (!isWaiting) this.#silentTicks = 0;
    else if (++this.#silentTicks > TICKS_OF_SILENCE) this.#lose(this.#unavailable('is silent'));
  }

  close(): void {
    this.#phase = 'closed';
    this.#dropStream();
  }

  #connect(): void {
    this.#phase = 'connecting';
    this.#silentTicks = 0;
    try {
      this.#openStream();
    } catch (error) {
      this.#lose(toLarderError(error, { node: this.options.node }));
    }
  }

  #openStream(): void {
    this.#channel = new LinkChannel(this.address);
    const { client } = this.#channel;
    const stream = client.makeBidiStreamRequest<Buffer, Buffer>(peerService.Link!.path, identity, identity);
    this.#stream = stream;
    stream.on('data', (response: Buffer) => {
      if (stream === this.#stream) this.#received(response);
    });
    // The listener stays when the stream is dropped: an `error` that nobody listens to would end the process.
    stream.on('error', (error: ServiceError) => this.#ended(stream, fromStatus(error, this.#name)));
    stream.on('end', () => this.#ended(stream, this.#unavailable('ended the stream')));
  }

  #received(response: Buffer): void {
    this.#silentTicks = 0;
    if (this.#phase === 'connecting') {
      this.#greet(response);
      return;
    }
    this.#awaitsAnswer = false;
    // Not at the greeting: a node that refuses whatever follows must not be asked again at once.
    this.#backoff.reset();
  }

  #greet(response: Buffer): void {
    let fault: LarderError | undefined;
    try {
      fault = this.#faultOfGreeting(readGreeting(response));
    } catch (error) {
      fault = toLarderError(error);
    }
    if (fault !== undefined) {
      this.#lose(fault);
      return;
    }
    this.#phase = 'open';
    this.#awaitsAnswer = false;
    this.#outbox.reset(this.#stream);
    this.owner.opened(this.options.node);
  }

  #faultOfGreeting(greeting: PeerGreeting | undefined): LarderError | undefined {
    const { node, self, settings } = this.options;
    if (greeting === undefined) return new LarderError('BAD_ARGUMENT', `${this.#name} did not say who it is`);
    const { peer } = greeting;
    if (peer.node !== node) {
      return new LarderError('INCOMPATIBLE', `at ${this.address} is node ${peer.node}, not node ${node}`);
    }
    this.#greeted = peer.incarnation;
    return faultOfPeer(peer, self()) ?? faultOfSettings(greeting.settings, settings, `node ${node}`);
  }

  #ended(stream: ClientDuplexStream<Buffer, Buffer>, error: LarderError): void {
    if (stream === this.#stream) this.#lose(error);
  }

  #lose(error: LarderError): void {
    const { node, clock } = this.options;
    this.#phase = 'resting';
    this.#dropStream();
    this.#restTimer = clock.after(this.#backoff.nextMs(), () => this.#connect());
    if (error.code === 'INCOMPATIBLE' || error.code === 'BAD_ARGUMENT') this.owner.refused(node, error);
  }

  #dropStream(): void {
    this.#restTimer?.cancel();
    this.#outbox.reset(undefined);
    this.#greeted = '';
    this.#awaitsAnswer = false;
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
    this.#channel?.close();
    this.#channel = undefined;
  }

  get #name(): string {
    return `node ${this.options.node} at ${this.address}`;
  }

  #unavailable(what: string): LarderError {
    return new LarderError('UNAVAILABLE', `${this.#name} ${what}`, { node: this.options.node });
  }
}
