/**
 * A server that a test or a demonstration starts: spawned, awaited until it says that it serves, stopped with its own
 * signal, and never left behind, whatever becomes of this process. Its output is kept, bounded, to explain a failure.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { guard } from './guard.js';

export interface ServerProcessOptions {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Whether this line of output says that the server serves. */
  readonly isReady: (line: string) => boolean;
  /** Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** Default: SIGTERM. */
  readonly stopSignal?: NodeJS.Signals | undefined;
  /** Default: 30,000. */
  readonly readyTimeoutMs?: number | undefined;
  /** How long `stop` waits before it kills. Default: 15,000. */
  readonly stopTimeoutMs?: number | undefined;
  /** A temporary folder that is removed should this process die. */
  readonly folder?: string | undefined;
  /** Told of the process as soon as there is one, long before it serves. */
  readonly onSpawn?: ((pid: number) => void) | undefined;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const LOG_LINES_MAX = 5_000;

export class ServerProcess {
  /** The latest lines of output, at most 5,000. */
  readonly log: string[] = [];
  readonly exited: Promise<Exit>;
  #exit: Exit | undefined;

  /** Resolves once the server serves. Rejects, with the server's last words, if it ends before that or takes too long. */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const child = spawn(options.command, options.args, {
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Its own group: Ctrl-C in a terminal must not reach it before it is its turn.
      detached: true,
      ...options.user,
    });
    const server = new ServerProcess(options, child);
    if (child.pid === undefined) {
      const [error] = await once(child, 'error');
      throw new Error(`${options.name} cannot be started: ${String(error)}`, { cause: error });
    }
    options.onSpawn?.(child.pid);
    await server.#ready();
    return server;
  }

  private constructor(
    readonly options: ServerProcessOptions,
    readonly child: ChildProcess,
  ) {
    const { stopSignal, folder } = options;
    const dismiss = child.pid === undefined ? undefined : guard(child.pid, { signal: stopSignal, folder });
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        dismiss?.();
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  /** Sends a signal at once and waits for nothing. False: the process has ended already. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): boolean {
    return this.isRunning && this.child.kill(signal);
  }

  /** Asks the server to stop, also one that was paused, and waits for its end; kills it after `stopTimeoutMs`. */
  async stop(): Promise<Exit> {
    this.kill(this.options.stopSignal ?? 'SIGTERM');
    this.kill('SIGCONT');
    const killing = setTimeout(() => this.kill('SIGKILL'), this.options.stopTimeoutMs ?? 15_000);
    try {
      return await this.exited;
    } finally {
      clearTimeout(killing);
    }
  }

  async #ready(): Promise<void> {
    const { name, isReady, readyTimeoutMs = 30_000 } = this.options;
    let waiting: NodeJS.Timeout | undefined;
    const verdict = await new Promise<string | undefined>((resolve) => {
      this.#readLines((line) => isReady(line) && resolve(undefined));
      void this.exited.then(({ code, signal }) =>
        resolve(`ended with ${signal ?? `exit code ${code}`} before it was ready`),
      );
      waiting = setTimeout(() => resolve(`was not ready within ${readyTimeoutMs} ms`), readyTimeoutMs);
    });
    clearTimeout(waiting);
    if (verdict === undefined) return;
    this.kill('SIGKILL');
    await this.exited;
    throw new Error(`${name} ${verdict}. Its last words:\n${this.log.slice(-20).join('\n')}`);
  }

  #readLines(onLine: (line: string) => void): void {
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.log.push(line);
        if (this.log.length > LOG_LINES_MAX) this.log.shift();
        onLine(line);
      });
    }
  }
}
