import { BoundedQueue } from '@larder/base';

/** Undone frames beyond this pause the stream: HTTP/2 flow control then holds the sender back. */
const QUEUED_BYTES_MAX = 1024 * 1024;
/** Far above what fits QUEUED_BYTES_MAX in frames of a sane size. */
export const QUEUED_FRAMES_MAX = 65_536;

interface PausableStream {
  pause(): unknown;
  resume(): unknown;
}

/**
 * Frames of a client's or of another node's stream that wait for their turn. While a megabyte of them waits the stream
 * is not read from; it is again when half of that is done.
 */
export class FrameQueue {
  readonly #frames = new BoundedQueue<Buffer>(QUEUED_FRAMES_MAX);
  #bytes = 0;
  #paused = false;

  constructor(readonly stream: PausableStream) {}

  get length(): number {
    return this.#frames.length;
  }

  /** False: QUEUED_FRAMES_MAX are waiting. */
  push(frame: Buffer): boolean {
    this.#bytes += frame.length;
    if (!this.#frames.push(frame)) return false;
    if (this.#bytes > QUEUED_BYTES_MAX && !this.#paused) {
      this.#paused = true;
      this.stream.pause();
    }
    return true;
  }

  /** The next frame, which counts until it is done. */
  shift(): Buffer | undefined {
    return this.#frames.shift();
  }

  done(bytes: number): void {
    this.#bytes -= bytes;
    if (!this.#paused || this.#bytes > QUEUED_BYTES_MAX / 2) return;
    this.#paused = false;
    this.stream.resume();
  }

  clear(): void {
    while (this.#frames.shift()) {}
  }
}
