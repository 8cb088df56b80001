import type { ClientView, SessionResponseWriter } from '@larder/proto';

/**
 * Tells a client of each new view, but of two at most in one frame, the first and the last: of a client that does not
 * read, no more than that collects.
 */
export class ViewNews {
  #isInFrame = false;
  #isOutdated = false;

  changed(frame: SessionResponseWriter, view: ClientView): void {
    if (this.#isInFrame) this.#isOutdated = true;
    else frame.view(view);
    this.#isInFrame = true;
  }

  /** The frame is about to leave. */
  complete(frame: SessionResponseWriter, view: ClientView | undefined): void {
    if (this.#isOutdated && view !== undefined) frame.view(view);
    this.#isInFrame = false;
    this.#isOutdated = false;
  }
}
