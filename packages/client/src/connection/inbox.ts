import { BoundedQueue } from '@larder/base';
import { type ClientView, ResponseItem, SessionResponseReader, toLarderError } from '@larder/proto';

/**
 * Frames of replies on their way in. Of a frame only a slice is handled before the event loop gets its turn, so that the
 * calls which those callers make next are on their way while the rest is still being resolved, and client and node work
 * at the same time instead of in turns (transport study, section 1: twice the throughput).
 */

/** Frames that wait for their slices. Beyond it the stream is paused, and flow control holds the node back. */
const QUEUED_BYTES_MAX = 4 * 1024 * 1024;
/** No frame is shorter than a reply's tag and length, and a paused stream still brings what was on its way. */
const QUEUED_FRAMES_MAX = 2 * QUEUED_BYTES_MAX;

interface PausableStream {
  pause(): unknown;
  resume(): unknown;
}

export interface InboxOwner {
  /** How many replies the next slice may have. */
  repliesMax(): number;
  /** The reader stands at a reply. May throw a LarderError: then the frames cannot be trusted. */
  reply(reader: SessionResponseReader): void;
  view(view: ClientView): void;
  sliceDone(): void;
  /** The bytes are not what they should be. */
  malformed(error: Error): void;
}

export class Inbox {
  readonly #reader = new SessionResponseReader();
  readonly #frames = new BoundedQueue<Buffer>(QUEUED_FRAMES_MAX);
  #queuedBytes = 0;
  #frameOpen = false;
  #sliceScheduled = false;
  #stream: PausableStream | undefined;
  #paused = false;

  constructor(private readonly owner: InboxOwner) {}

  /** Forgets what has not been read and takes frames of this stream from now on. */
  reset(stream: PausableStream | undefined): void {
    this.#stream = stream;
    while (this.#frames.shift()) {}
    this.#queuedBytes = 0;
    this.#frameOpen = false;
    this.#paused = false;
  }

  receive(frame: Buffer): void {
    this.#queuedBytes += frame.length;
    if (!this.#frames.push(frame)) {
      this.owner.malformed(new Error(`more than ${QUEUED_FRAMES_MAX} frames are waiting`));
      return;
    }
    if (!this.#sliceScheduled) this.#runSlice();
    if (this.#queuedBytes <= QUEUED_BYTES_MAX || this.#paused) return;
    this.#paused = true;
    this.#stream?.pause();
  }

  /** Handles all that has come, at once: the stream has ended, and answers must not be lost with it. */
  finish(): void {
    try {
      while (this.#handle(Number.POSITIVE_INFINITY)) {}
    } catch {
      // The stream is lost anyway.
    }
  }

  readonly #runSlice = (): void => {
    this.#sliceScheduled = false;
    try {
      if (this.#handle(this.owner.repliesMax())) {
        this.#sliceScheduled = true;
        setImmediate(this.#runSlice);
      }
    } catch (error) {
      this.owner.malformed(toLarderError(error));
      return;
    }
    this.owner.sliceDone();
  };

  /** Returns whether there is more. */
  #handle(repliesMax: number): boolean {
    const reader = this.#reader;
    for (let replies = 0; replies < repliesMax; ) {
      if (!this.#frameOpen && !this.#openFrame()) return false;
      const item = reader.next();
      if (item === ResponseItem.reply) {
        replies++;
        this.owner.reply(reader);
      } else if (item === ResponseItem.view) {
        this.owner.view(reader.view as ClientView);
      } else {
        this.#frameOpen = false;
      }
    }
    return true;
  }

  #openFrame(): boolean {
    const frame = this.#frames.shift();
    if (frame === undefined) return false;
    this.#reader.reset(frame);
    this.#frameOpen = true;
    this.#queuedBytes -= frame.length;
    if (this.#paused && this.#queuedBytes <= QUEUED_BYTES_MAX / 2) {
      this.#paused = false;
      this.#stream?.resume();
    }
    return true;
  }
}
