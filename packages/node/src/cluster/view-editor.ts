import type { ViewDocument } from './view-document.js';

/**
 * The compare-and-sets of this node whose outcome is open: the one under way, and those whose answer never came. Any of
 * them may turn out to be the view, so until the version has moved on, their successors count as well as the view's.
 * A read that still shows the old view settles nothing: the proposal may be on its way.
 */

/** Beyond this many unknown answers on one view only proposals that change nothing are made; they add nobody. */
export const UNRESOLVED_MAX = 8;

export class ViewEditor {
  #inFlight: ViewDocument | undefined;
  #unresolved: ViewDocument[] = [];

  get busy(): boolean {
    return this.#inFlight !== undefined;
  }

  /** Something must be proposed, if only the view as it is. */
  get unresolved(): boolean {
    return this.#unresolved.length > 0;
  }

  get full(): boolean {
    return this.#unresolved.length >= UNRESOLVED_MAX;
  }

  begin(proposal: ViewDocument): void {
    this.#inFlight = proposal;
  }

  end(unknown: boolean): void {
    if (unknown && this.#inFlight !== undefined) this.#unresolved.push(this.#inFlight);
    this.#inFlight = undefined;
  }

  /** A view of this version is installed: proposals that would have become it or an older one are settled. */
  settle(version: number): void {
    this.#unresolved = this.#unresolved.filter((proposal) => proposal.version > version);
  }

  /** For the mutation test: what a design would do that believed a read. */
  forget(): void {
    this.#unresolved = [];
  }

  /** The views that may come to be by this node's own proposals. */
  open(): ViewDocument[] {
    return this.#inFlight === undefined ? this.#unresolved : [...this.#unresolved, this.#inFlight];
  }
}
