import type { LarderError } from '@larder/proto';

/** Refusals of one peer for one reason are told once: a peer that tries for days must not fill the log. */
const REASONS_MAX = 1_024;

export class RefusalFilter {
  readonly #told = new Set<string>();

  /** Whether nobody has heard this yet. Numbers do not make a new reason. Beyond REASONS_MAX all are old. */
  isNew(peer: string, error: LarderError): boolean {
    const reason = `${peer} ${error.message.replace(/\d+/g, '0')}`;
    if (this.#told.has(reason) || this.#told.size >= REASONS_MAX) return false;
    this.#told.add(reason);
    return true;
  }
}
