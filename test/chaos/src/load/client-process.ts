import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FromClient, ToClient } from './client-messages.js';

const MAIN = fileURLToPath(new URL('../../dist/load/client-main.js', import.meta.url));

export type StartClient = Omit<Extract<ToClient, { kind: 'start' }>, 'kind'>;

/** A client in a process of its own. It ends with this process, however that ends. */
export class ClientProcess {
  readonly #child: ChildProcess;
  readonly #finished: Promise<void>;

  constructor(
    readonly start: StartClient,
    listener: (message: FromClient) => void,
  ) {
    this.#child = fork(MAIN, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    let isFinished = false;
    this.#child.on('message', (message: FromClient) => {
      isFinished ||= message.kind === 'finished';
      listener(message);
    });
    this.#finished = once(this.#child, 'close').then(([code]) => {
      if (!isFinished)
        listener({ kind: 'bug', message: `client ${start.client} ended with exit code ${String(code)}` });
    });
    this.#send({ kind: 'start', ...start });
  }

  /** Resolves when its calls have ended, it has audited its keys and told of everything. */
  async finish(): Promise<void> {
    this.#send({ kind: 'finish' });
    await this.#finished;
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#finished;
  }

  #send(message: ToClient): void {
    if (this.#child.connected) this.#child.send(message);
  }
}
