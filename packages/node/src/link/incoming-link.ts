import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Clock, Timer } from '@larder/base';
import { LarderError, type PeerIdentity, peerGreeting, type SharedSettings } from '@larder/proto';
import type { Envelope } from '../replication/messages.js';
import { FrameQueue, QUEUED_FRAMES_MAX } from '../server/frame-queue.js';
import { toStatus } from '../server/server-context.js';
import { EnvelopeReader } from './envelope-reader.js';
import { faultOfPeer } from './peer-identity.js';

/**
 * The stream on which another node speaks to this one. After a slice of what has come the event loop has its turn, and
 * a sender that is faster than its receiver is held back by flow control: so clients of this node are served beside the
 * busiest link.
 *
 * It answers with its identity at first, and then with an empty message, at most every ANSWER_MS, when frames were taken.
 */

/** One full frame, 500 records of 120 bytes: less than a millisecond. */
const SLICE_BYTES = 64 * 1024;
/** Half of a heartbeat's period. */
const ANSWER_MS = 100;
const ANSWER = Buffer.alloc(0);

export type IncomingStream = ServerDuplexStream<Buffer, Buffer>;

export interface IncomingLinkOwner {
  readonly clock: Clock;
  readonly partitionCount: number;
  readonly settings: SharedSettings;
  self(): PeerIdentity;
  /** Of a node that may speak with this one. */
  heard(peer: PeerIdentity): void;
  received(envelope: Envelope): void;
  refused(peer: string, error: LarderError): void;
  ended(link: IncomingLink): void;
}

export class IncomingLink {
  readonly #reader: EnvelopeReader;
  readonly #frames: FrameQueue;
  #sliceScheduled = false;
  #answerTimer: Timer | undefined;
  #hasToAnswer = false;
  #ended = false;
  #peer: PeerIdentity | undefined;
  /** The cluster that the peer was compared with. */
  #checkedAs = '';

  constructor(
    readonly stream: IncomingStream,
    readonly owner: IncomingLinkOwner,
  ) {
    this.#reader = new EnvelopeReader(owner.partitionCount);
    this.#frames = new FrameQueue(stream);
    stream.on('data', (frame: Buffer) => this.#receive(frame));
    stream.on('end', () => this.end());
    stream.on('error', () => this.#close());
    stream.on('cancelled', () => this.#close());
    stream.on('close', () => this.#close());
    stream.write(peerGreeting({ peer: owner.self(), settings: owner.settings }));
  }

  end(): void {
    if (this.#ended) return;
    this.#close();
    this.stream.end();
  }

  #receive(frame: Buffer): void {
    if (this.#ended) return;
    if (!this.#frames.push(frame)) {
      this.#refuse(new LarderError('BUSY', `more than ${QUEUED_FRAMES_MAX} frames are waiting on this link`));
      return;
    }
    if (!this.#sliceScheduled) this.#runSlice();
  }

  readonly #runSlice = (): void => {
    this.#sliceScheduled = false;
    for (let bytes = 0; bytes < SLICE_BYTES && !this.#ended; ) {
      const frame = this.#frames.shift();
      if (frame === undefined) break;
      bytes += Math.max(1, frame.length);
      this.#take(frame);
      this.#frames.done(frame.length);
    }
    if (this.#ended || this.#frames.length === 0) return;
    this.#sliceScheduled = true;
    setImmediate(this.#runSlice);
  };

  #take(frame: Buffer): void {
    try {
      this.#check(this.#reader.open(frame));
      for (let envelope = this.#reader.next(); envelope !== undefined; envelope = this.#reader.next()) {
        this.owner.received(envelope);
        if (this.#ended) return;
      }
    } catch (error) {
      if (!(error instanceof LarderError)) throw error;
      this.#refuse(error);
      return;
    }
    this.#answerSoon();
  }

  #check(peer: PeerIdentity): void {
    const self = this.owner.self();
    if (peer !== this.#peer || self.cluster !== this.#checkedAs) {
      const fault = faultOfPeer(peer, self);
      if (fault !== undefined) throw fault;
      if (peer.node === self.node) {
        throw new LarderError('INCOMPATIBLE', `node ${peer.node} at ${peer.address} has the id of this node`);
      }
      this.#peer = peer;
      this.#checkedAs = self.cluster;
    }
    if (this.#reader.receiver !== self.node) {
      throw new LarderError('INCOMPATIBLE', `node ${this.#reader.receiver} is meant; this is node ${self.node}`);
    }
    this.owner.heard(peer);
  }

  #answerSoon(): void {
    this.#hasToAnswer = true;
    if (this.#answerTimer === undefined) this.#answer();
  }

  readonly #answer = (): void => {
    this.#answerTimer = undefined;
    if (!this.#hasToAnswer || this.#ended) return;
    this.#hasToAnswer = false;
    // A peer that speaks and does not read gets no more than the stream has room for.
    if (!this.stream.writableNeedDrain) this.stream.write(ANSWER);
    this.#answerTimer = this.owner.clock.after(ANSWER_MS, this.#answer);
  };

  #refuse(error: LarderError): void {
    if (this.#ended) return;
    const address = this.stream.getPeer().replace(/:\d+$/, '');
    this.owner.refused(this.#peer === undefined ? address : `node ${this.#peer.node}`, error);
    this.#close();
    this.stream.emit('error', toStatus(error));
  }

  #close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#answerTimer?.cancel();
    this.#frames.clear();
    this.owner.ended(this);
  }
}
