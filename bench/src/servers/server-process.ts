import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { onOwnCore } from '../pinning.js';

/**
 * A server under test: started on a free port of 127.0.0.1, ready when it accepts a connection, stopped by SIGTERM (by
 * SIGKILL if it ignores that) and in any case when this process exits.
 */
const READY_MS_MAX = 15_000;
const STOP_MS_MAX = 5_000;
const OUTPUT_CHARACTERS_MAX = 4_000;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface ServerCommand {
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly endpoint: Endpoint;
  /** Undefined leaves the choice to the scheduler. */
  readonly core: number | undefined;
}

export class ServerProcess {
  readonly endpoint: Endpoint;
  readonly #name: string;
  readonly #child: ChildProcess;
  #output = '';
  #exited: Promise<void>;
  #isRunning = true;

  static async start(server: ServerCommand): Promise<ServerProcess> {
    const started = new ServerProcess(server);
    try {
      await started.#ready();
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  }

  private constructor(server: ServerCommand) {
    this.endpoint = server.endpoint;
    this.#name = server.name;
    const [command, ...rest] = onOwnCore(server.core, [server.command, ...server.arguments]);
    this.#child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = () => this.#child.kill('SIGKILL');
    process.once('exit', kill);
    this.#exited = new Promise((resolve) => {
      const exited = () => {
        this.#isRunning = false;
        process.removeListener('exit', kill);
        resolve();
      };
      this.#child.once('exit', exited);
      this.#child.once('error', (error) => {
        this.#output += error.message;
        exited();
      });
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_CHARACTERS_MAX);
      });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.#isRunning) this.#child.kill('SIGTERM');
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX);
    await this.#exited;
    clearTimeout(killer);
  }

  async #ready(): Promise<void> {
    const giveUpAt = performance.now() + READY_MS_MAX;
    while (this.#isRunning && performance.now() < giveUpAt) {
      if (await accepts(this.endpoint)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const trouble = this.#isRunning ? `does not accept connections after ${READY_MS_MAX} ms` : 'ended at once';
    throw new Error(`${this.#name} on port ${this.endpoint.port} ${trouble}: ${this.#output.trim() || 'no output'}`);
  }
}

export function findOnPath(command: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find(isExecutable);
}

/** The port was free a moment ago; another process may still take it first, which then shows as a failed start. */
export async function freeEndpoint(): Promise<Endpoint> {
  const host = '127.0.0.1';
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no TCP port to be had on 127.0.0.1');
  return { host, port: address.port };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function accepts(endpoint: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(endpoint);
    const settle = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}
