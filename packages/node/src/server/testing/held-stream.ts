import { EventEmitter } from 'node:events';
import { ResponseItem, SessionResponseReader } from '@larder/proto';
import type { SessionStream } from '../session.js';

/** The server's end of a session whose client reads only when the test says so: writes are done when `read` is called. */
export class HeldStream extends EventEmitter {
  isPaused = false;
  isEnded = false;
  /** The status with which the node ended it, if it did. */
  fault: { details: string } | undefined;
  readonly #written: { frame: Buffer; done: () => void }[] = [];

  /** As the session takes it. */
  static open(): { stream: HeldStream; asSession: SessionStream } {
    const stream = new HeldStream();
    stream.on('error', (fault) => {
      stream.fault = fault;
    });
    return { stream, asSession: stream as unknown as SessionStream };
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  write(frame: Buffer, done: () => void): void {
    this.#written.push({ frame: Buffer.from(frame), done });
  }

  end(): void {
    this.isEnded = true;
  }

  get unread(): number {
    return this.#written.length;
  }

  /** The versions of the views in all that was taken. */
  readonly views: number[] = [];

  /** Takes the oldest frame that was written and returns the ids of its replies. */
  read(): number[] {
    const next = this.#written.shift();
    if (!next) return [];
    const reader = new SessionResponseReader();
    reader.reset(next.frame);
    const ids: number[] = [];
    for (let item = reader.next(); item !== ResponseItem.end; item = reader.next()) {
      if (item === ResponseItem.reply) ids.push(reader.id);
      if (item === ResponseItem.view) this.views.push(reader.view!.version);
    }
    next.done();
    return ids;
  }
}
