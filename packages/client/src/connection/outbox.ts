import { REQUEST_FRAME_BYTES_TARGET, SessionRequestWriter } from '@larder/proto';

interface ByteStream {
  write(frame: Buffer, written: () => void): unknown;
}

/**
 * Frames on their way out. The first operation of a turn schedules the flush at nextTick, which runs after all
 * microtasks and so takes along every caller that was just resolved. While a write is outstanding operations only
 * collect; full frames wait in line, since the receive window of a grpc-js server is 64 KiB and cannot be widened.
 */

const FRAME_CAPACITY = 96 * 1024;
/** Buffers kept for reuse; more are made when needed and dropped afterwards. */
const SPARES_MAX = 4;

export class Outbox {
  writer = new SessionRequestWriter(FRAME_CAPACITY);
  readonly #spares: SessionRequestWriter[] = [];
  /** Full frames; bounded by the session's slots, since each holds at least one operation. */
  #full: SessionRequestWriter[] = [];
  #outstanding: SessionRequestWriter | undefined;
  /** Grows with each reset, so that callbacks of an earlier stream are known as such. */
  #generation = 0;
  scheduled = false;

  constructor(private readonly stream: () => ByteStream | undefined) {}

  /** An operation was written. */
  appended(): void {
    if (this.writer.at >= REQUEST_FRAME_BYTES_TARGET) {
      this.#full.push(this.writer);
      this.writer = this.#spares.pop() ?? new SessionRequestWriter(FRAME_CAPACITY);
      this.#send();
    } else if (!this.scheduled) {
      this.scheduled = true;
      process.nextTick(this.#flush);
    }
  }

  /** The stream is gone and all that was to be sent with it. */
  reset(): void {
    this.#generation++;
    this.#outstanding = undefined;
    this.#full = [];
    this.writer = new SessionRequestWriter(FRAME_CAPACITY);
  }

  readonly #flush = (): void => {
    this.scheduled = false;
    this.#send();
  };

  #send(): void {
    const stream = this.stream();
    if (this.#outstanding || !stream) return;
    const frame = this.#full.shift() ?? this.#partFrame();
    if (!frame) return;
    this.#outstanding = frame;
    const generation = this.#generation;
    stream.write(frame.bytes.subarray(0, frame.at), () => {
      if (generation === this.#generation) this.#written();
    });
  }

  #partFrame(): SessionRequestWriter | undefined {
    if (this.writer.at === 0) return undefined;
    const frame = this.writer;
    this.writer = this.#spares.pop() ?? new SessionRequestWriter(FRAME_CAPACITY);
    return frame;
  }

  /** grpc-js has copied the bytes by now. */
  #written(): void {
    const frame = this.#outstanding as SessionRequestWriter;
    this.#outstanding = undefined;
    frame.at = 0;
    if (this.#spares.length < SPARES_MAX) this.#spares.push(frame);
    this.#send();
  }
}
