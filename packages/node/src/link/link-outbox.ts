import { BoundedQueue } from '@larder/base';
import { LINK_PART_BYTES, PeerFrameWriter, type PeerIdentity, peerHead } from '@larder/proto';
import type { Envelope } from '../replication/messages.js';
import { isUrgent, MessageEncoding } from './envelope-encoding.js';

/**
 * Frames on their way to one node. A message is encoded into the open frame when it is sent. Frames leave once a turn of
 * the event loop, when all sockets that had something have been read: half as much again replicated writes as when they
 * leave after each. One is written at a time, so that the event loop has its turn between two of them. While full frames
 * wait, short messages (heartbeats, grants, acknowledgements) collect in a frame of their own that leaves before them:
 * what such a message may have to wait for is the frame that is being written, at most LINK_FRAME_BYTES_MAX, and what
 * the system has taken.
 *
 * A message of more than LINK_PART_BYTES leaves in parts, a frame each.
 */

/** As much as the window of a grpc-js server takes; beyond it a frame is closed. */
const FRAME_BYTES_TARGET = 64 * 1024;
const FRAME_CAPACITY = 80 * 1024;
/** Frames that wait; far above what the bound of unsent bytes allows in frames of a sane size. */
const FRAMES_MAX = 65_536;
/** Buffers kept for reuse, none larger than this. */
const SPARES_MAX = 8;
const SPARE_BYTES_MAX = 256 * 1024;

interface ByteStream {
  write(frame: Buffer, written: () => void): unknown;
}

export class LinkOutbox {
  /** Bytes that were sent to the node and that the system has not taken yet. */
  unsentBytes = 0;
  #stream: ByteStream | undefined;
  readonly #full = new BoundedQueue<PeerFrameWriter>(FRAMES_MAX);
  #open = new PeerFrameWriter(FRAME_CAPACITY);
  #urgent = new PeerFrameWriter(FRAME_CAPACITY);
  #openHead: Buffer | undefined;
  #urgentHead: Buffer | undefined;
  #outstanding: PeerFrameWriter | undefined;
  readonly #spares: PeerFrameWriter[] = [];
  readonly #encoding = new MessageEncoding();
  #scheduled = false;
  /** Grows with each stream, so that callbacks of an earlier one are known as such. */
  #generation = 0;
  #head: { readonly of: Envelope; readonly bytes: Buffer } | undefined;

  constructor(
    readonly receiver: string,
    readonly sender: Pick<PeerIdentity, 'protocol' | 'partitionCount' | 'address'>,
  ) {}

  /** Frames go to this stream from now on. What the last one was not given is dropped. */
  reset(stream: ByteStream | undefined): void {
    this.#stream = stream;
    this.#generation++;
    this.#outstanding = undefined;
    while (this.#full.shift()) {}
    this.#open.at = 0;
    this.#urgent.at = 0;
    this.unsentBytes = 0;
  }

  /** False: too many frames wait. */
  append(envelope: Envelope): boolean {
    const { message } = envelope;
    const head = this.#headOf(envelope);
    const parts = MessageEncoding.parts(message);
    for (let part = 0; part < parts; part++) {
      this.#encoding.of(message, part);
      if (!this.#appendEncoded(head, isUrgent(message))) return false;
    }
    this.#schedule();
    return true;
  }

  #appendEncoded(head: Buffer, urgent: boolean): boolean {
    const { fields, records, requests } = this.#encoding;
    const isOvertaking = urgent && this.#full.length > 0;
    const frame = isOvertaking ? this.#urgentFrame(head) : this.#openFrame(head);
    if (frame === undefined) return false;
    const before = frame.at;
    const length = frame.measure(fields, records, requests);
    if (length > LINK_PART_BYTES) return this.#appendInParts(length, head);
    frame.peerMessage(length, fields, records, requests);
    this.unsentBytes += frame.at - before;
    return isOvertaking || frame.at < FRAME_BYTES_TARGET || this.#closeOpen();
  }

  readonly flush = (): void => {
    this.#scheduled = false;
    if (this.#outstanding !== undefined || this.#stream === undefined) return;
    const frame = this.#nextFrame();
    if (frame === undefined) return;
    this.#outstanding = frame;
    const generation = this.#generation;
    this.#stream.write(frame.bytes.subarray(0, frame.at), () => {
      if (generation === this.#generation) this.#written();
    });
  };

  /** The last frame's, unless something in it has changed. */
  #headOf(envelope: Envelope): Buffer {
    const last = this.#head;
    if (last !== undefined && hasSameHead(last.of, envelope)) return last.bytes;
    const { cluster, node, incarnation, viewVersion } = envelope;
    const bytes = peerHead({ ...this.sender, cluster, node, incarnation }, this.receiver, viewVersion);
    this.#head = { of: { ...envelope, message: { kind: 'probe' } }, bytes };
    return bytes;
  }

  #openFrame(head: Buffer): PeerFrameWriter | undefined {
    if (this.#open.at > 0 && this.#openHead !== head && !this.#closeOpen()) return undefined;
    if (this.#open.at === 0) this.#begin(this.#open, head);
    this.#openHead = head;
    return this.#open;
  }

  #urgentFrame(head: Buffer): PeerFrameWriter | undefined {
    if (this.#urgent.at > 0 && (this.#urgentHead !== head || this.#urgent.at >= FRAME_BYTES_TARGET)) {
      // Rare: it loses its place before the others, which only costs time.
      if (!this.#enqueue(this.#urgent)) return undefined;
      this.#urgent = this.#spare();
    }
    if (this.#urgent.at === 0) this.#begin(this.#urgent, head);
    this.#urgentHead = head;
    return this.#urgent;
  }

  #begin(frame: PeerFrameWriter, head: Buffer): void {
    frame.begin(head);
    this.unsentBytes += head.length;
  }

  #appendInParts(length: number, head: Buffer): boolean {
    const { fields, records, requests } = this.#encoding;
    const whole = new PeerFrameWriter(length + 256);
    whole.measure(fields, records, requests);
    whole.bare(length, fields, records, requests);
    if (this.#open.at > head.length && !this.#closeOpen()) return false;
    for (let start = 0; start < length; start += LINK_PART_BYTES) {
      const end = Math.min(length, start + LINK_PART_BYTES);
      const frame = this.#openFrame(head)!;
      const before = frame.at;
      frame.part(whole.bytes.subarray(start, end), end === length);
      this.unsentBytes += frame.at - before;
      if (!this.#closeOpen()) return false;
    }
    return true;
  }

  #closeOpen(): boolean {
    if (!this.#enqueue(this.#open)) return false;
    this.#open = this.#spare();
    return true;
  }

  #enqueue(frame: PeerFrameWriter): boolean {
    return this.#full.push(frame);
  }

  #spare(): PeerFrameWriter {
    return this.#spares.pop() ?? new PeerFrameWriter(FRAME_CAPACITY);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.flush);
  }

  #nextFrame(): PeerFrameWriter | undefined {
    if (this.#urgent.at > 0) {
      const urgent = this.#urgent;
      this.#urgent = this.#spare();
      return urgent;
    }
    const full = this.#full.shift();
    if (full !== undefined || this.#open.at === 0) return full;
    const open = this.#open;
    this.#open = this.#spare();
    return open;
  }

  #written(): void {
    const frame = this.#outstanding!;
    this.#outstanding = undefined;
    this.unsentBytes -= frame.at;
    frame.at = 0;
    if (this.#spares.length < SPARES_MAX && frame.bytes.length <= SPARE_BYTES_MAX) this.#spares.push(frame);
    this.flush();
  }
}

function hasSameHead(a: Envelope, b: Envelope): boolean {
  return (
    a.viewVersion === b.viewVersion && a.incarnation === b.incarnation && a.cluster === b.cluster && a.node === b.node
  );
}
