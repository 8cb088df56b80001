import { assert, BoundedQueue } from '@larder/base';
import { REQUEST_FRAME_BYTES_TARGET, SessionRequestWriter } from '@larder/proto';

/**
 * Frames on their way out. The first operation of a turn schedules the flush at nextTick, which runs after all
 * microtasks and so takes along every caller that was just resolved. While a write is outstanding operations only
 * collect; full frames wait in line, since the receive window of a grpc-js server is 64 KiB and cannot be widened.
 *
 * When may a buffer be used again? grpc-js copies a message when its compression filter puts the length before it, some
 * microtasks after `write`, or, until the channel has resolved its name, much later; the callback of `write` always
 * comes after that copy. Without the callback (a stream that was cancelled or broke) nobody knows: such a buffer is left
 * to the garbage collector.
 *
 * The callback does not mean that the bytes are in the socket: grpc-js takes up to 1 MiB per stream into its own buffer.
 * Beyond that a slow node shows here, as `isFull`.
 */

const FRAME_CAPACITY = 20 * 1024;
/** Buffers kept for reuse, each at most a target-sized frame and one value: 1.4 MiB. */
const SPARES_MAX = 16;
/** What may wait in full frames, so that encoding ahead is no use of memory without end. */
const BYTES_MAX = 2 * 1024 * 1024;
const FULL_FRAMES_MAX = (2 * BYTES_MAX) / REQUEST_FRAME_BYTES_TARGET;

interface ByteStream {
  write(frame: Buffer, written: () => void): unknown;
}

export class Outbox {
  writer = new SessionRequestWriter(FRAME_CAPACITY);
  /** The number of the frame that is being filled. */
  frame = 1;
  /** Full frames wait: whoever has more to send keeps it, until `onRoom`. */
  isFull = false;
  #stream: ByteStream | undefined;
  #handedOver = 0;
  readonly #full = new BoundedQueue<SessionRequestWriter>(FULL_FRAMES_MAX);
  #fullBytes = 0;
  #outstanding: SessionRequestWriter | undefined;
  readonly #spares: SessionRequestWriter[] = [];
  #scheduled = false;
  /** Grows with each stream, so that callbacks of an earlier one are known as such. */
  #generation = 0;

  constructor(private readonly onRoom: () => void) {}

  /** Whether the stream was given that frame. */
  hasSent(frame: number): boolean {
    return frame <= this.#handedOver;
  }

  /** Frames go to this stream from now on. What was not handed over to the last one is dropped. */
  reset(stream: ByteStream | undefined): void {
    this.#stream = stream;
    this.#generation++;
    this.#outstanding = undefined;
    while (this.#full.shift()) {}
    this.#fullBytes = 0;
    this.isFull = false;
    this.writer = new SessionRequestWriter(FRAME_CAPACITY);
    this.#handedOver = this.frame++;
  }

  /** Something was written into `writer`. */
  appended(): void {
    if (this.writer.at >= REQUEST_FRAME_BYTES_TARGET) {
      this.#fullBytes += this.writer.at;
      const isKept = this.#full.push(this.#closeFrame());
      assert(isKept, 'the outbox was written to although it was full');
      this.isFull = this.#fullBytes >= BYTES_MAX;
      this.#send();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      process.nextTick(this.#flush);
    }
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#send();
  };

  #send(): void {
    if (this.#outstanding !== undefined || this.#stream === undefined) return;
    const frame = this.#nextFrame();
    if (frame === undefined) return;
    this.#outstanding = frame;
    this.#handedOver++;
    const generation = this.#generation;
    this.#stream.write(frame.bytes.subarray(0, frame.at), () => {
      if (generation === this.#generation) this.#written();
    });
  }

  #nextFrame(): SessionRequestWriter | undefined {
    const full = this.#full.shift();
    if (full === undefined) return this.writer.at === 0 ? undefined : this.#closeFrame();
    this.#fullBytes -= full.at;
    return full;
  }

  #closeFrame(): SessionRequestWriter {
    const closed = this.writer;
    this.writer = this.#spares.pop() ?? new SessionRequestWriter(FRAME_CAPACITY);
    this.frame++;
    return closed;
  }

  #written(): void {
    const frame = this.#outstanding as SessionRequestWriter;
    this.#outstanding = undefined;
    frame.at = 0;
    if (this.#spares.length < SPARES_MAX) this.#spares.push(frame);
    this.#send();
    if (!this.isFull || this.#fullBytes > BYTES_MAX / 2) return;
    this.isFull = false;
    this.onRoom();
  }
}
