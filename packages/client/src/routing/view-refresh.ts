import type { ClientView } from '@larder/proto';
import { requestViewOnce } from '../connection/view-request.js';
import type { ResolvedConnectOptions } from '../options.js';
import type { Router } from './router.js';

/**
 * Looks for a newer view when the one in use has proved wrong. One search at a time serves all calls, and searches that
 * find nothing new are kept apart. Asks the node that knows better, then the others of the view, each time from another one
 * on, since one that is cut off from the cluster answers as well; then, should all of them have moved, the endpoints.
 */

const PAUSE_MS = 100;
const QUESTIONS_MAX = 8;
const ANSWER_MS_MAX = 1_000;

export class ViewRefresh {
  #isRunning = false;
  #endedMs = Number.NEGATIVE_INFINITY;
  #searches = 0;

  constructor(
    readonly router: Router,
    readonly options: ResolvedConnectOptions,
    readonly received: (view: ClientView) => void,
  ) {}

  /** Starts a search unless there is one or was one a moment ago. `first` is asked first, `except` not at all. */
  start({ first, except }: { readonly first?: string | undefined; readonly except?: string }): void {
    const { clock } = this.options;
    if (this.#isRunning || clock.monotonicMs() - this.#endedMs < PAUSE_MS) return;
    this.#isRunning = true;
    void this.#search(first, except).finally(() => {
      this.#isRunning = false;
      this.#endedMs = clock.monotonicMs();
    });
  }

  async #search(first: string | undefined, except: string | undefined): Promise<void> {
    const others = this.router.connections.filter((connection) => connection.node !== except);
    const turn = this.#searches++ % Math.max(1, others.length);
    const connections = [...others.slice(turn), ...others.slice(0, turn)];
    connections.sort((one, other) => Number(other.node === first) - Number(one.node === first));
    for (const connection of connections.slice(0, QUESTIONS_MAX)) {
      if (await this.#ask(() => connection.fetchView(ANSWER_MS_MAX))) return;
    }
    const endpoints = await this.options.endpoints().catch(() => []);
    for (const endpoint of endpoints.slice(0, QUESTIONS_MAX)) {
      const deadlineMs = this.options.clock.wallMs() + ANSWER_MS_MAX;
      if (await this.#ask(() => requestViewOnce(endpoint, deadlineMs))) return;
    }
  }

  /** Whether there was an answer that could be used. */
  async #ask(question: () => Promise<ClientView>): Promise<boolean> {
    try {
      this.received(await question());
      return true;
    } catch {
      return false;
    }
  }
}
