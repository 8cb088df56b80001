import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EvictionPolicyName } from '@larder/node/internal';
import type { ContenderName } from './contender.js';

/** The parent's handle on a process that runs `contender-main.js`. One request at a time. */
export interface ContenderSetting {
  readonly contender: ContenderName;
  readonly entries: number;
  readonly policy: EvictionPolicyName;
}

export interface ContenderRequest {
  readonly kind: 'fill' | 'get' | 'set' | 'delete' | 'collect' | 'churn';
}

/** What a request measures; which fields are there follows from its kind. */
export interface ContenderResult {
  readonly perSecond?: number;
  readonly setP999Ms?: number;
  readonly setMaxMs?: number;
  readonly fullGcMs?: number;
  readonly heapBytesPerEntry?: number;
  readonly liveShare?: number;
  readonly evictionsPerSet?: number;
}

export type ContenderReply = { readonly result: ContenderResult } | { readonly trouble: string };

/** Ten million entries of a Map take 4.5 GB. */
const NODE_FLAGS = ['--expose-gc', '--max-old-space-size=12288'];

export class ContenderProcess {
  readonly #name: string;
  readonly #child: ChildProcess;

  static async start(setting: ContenderSetting): Promise<ContenderProcess> {
    const started = new ContenderProcess(setting);
    await started.#reply();
    return started;
  }

  private constructor(setting: ContenderSetting) {
    this.#name = setting.contender;
    const script = fileURLToPath(new URL('./contender-main.js', import.meta.url));
    const flags = [...NODE_FLAGS, script, JSON.stringify(setting)];
    this.#child = spawn(process.execPath, flags, { stdio: ['ignore', process.stderr, process.stderr, 'ipc'] });
  }

  ask(kind: ContenderRequest['kind']): Promise<ContenderResult> {
    const reply = this.#reply();
    this.#child.send({ kind } satisfies ContenderRequest);
    return reply;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await exited;
  }

  #reply(): Promise<ContenderResult> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#child.off('message', onMessage).off('exit', onExit).off('error', onError);
        act();
      };
      const onError = (error: Error) => settle(() => reject(error));
      const onExit = () => settle(() => reject(new Error(`the process of ${this.#name} ended`)));
      const onMessage = (reply: ContenderReply) =>
        settle(() => {
          if ('result' in reply) resolve(reply.result);
          else reject(new Error(`${this.#name}: ${reply.trouble}`));
        });
      this.#child.once('message', onMessage).once('exit', onExit).once('error', onError);
    });
  }
}
