import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onOwnCore } from '../pinning.js';
import type { ClientName } from '../rivals/clients.js';
import type { Endpoint } from '../servers/server.js';
import type { BesideLargeMeasurement, BesideLargePlan } from './beside-large.js';
import type { ClosedLoopPlan, Measurement, Operation } from './closed-loop.js';

/** The parent's handle on a process that runs `client-main.js`. One request at a time. */
export interface ClientSetting {
  readonly client: ClientName;
  readonly endpoint: Endpoint;
  readonly serverPids: readonly number[];
}

export type ClientRequest =
  | { readonly kind: 'populate' | 'verify' }
  | { readonly kind: 'heat'; readonly operation: Operation }
  | { readonly kind: 'closedLoop'; readonly plan: ClosedLoopPlan }
  | { readonly kind: 'besideLarge'; readonly plan: BesideLargePlan };

export type ClientResult = Measurement | BesideLargeMeasurement | null;

export type ClientReply = { readonly result: ClientResult } | { readonly trouble: string };

export class ClientProcess {
  readonly #name: ClientName;
  readonly #child: ChildProcess;

  /** Resolves when the client is connected. */
  static async start(
    setting: ClientSetting,
    core: number | undefined,
    nodeFlags: readonly string[],
  ): Promise<ClientProcess> {
    const started = new ClientProcess(setting, core, nodeFlags);
    await started.#reply();
    return started;
  }

  private constructor(setting: ClientSetting, core: number | undefined, nodeFlags: readonly string[]) {
    this.#name = setting.client;
    const script = fileURLToPath(new URL('./client-main.js', import.meta.url));
    const [command, ...rest] = onOwnCore(core, [process.execPath, ...nodeFlags, script, JSON.stringify(setting)]);
    // Whatever a client library prints must not reach stdout, whose last line is the result.
    this.#child = spawn(command, rest, { stdio: ['ignore', process.stderr, process.stderr, 'ipc'] });
  }

  async populate(): Promise<void> {
    await this.#request({ kind: 'populate' });
  }

  /** Runs the operation for a quarter of a second, so that it is compiled before the first measurement. */
  async heat(operation: Operation): Promise<void> {
    await this.#request({ kind: 'heat', operation });
  }

  async verify(): Promise<void> {
    await this.#request({ kind: 'verify' });
  }

  async closedLoop(plan: ClosedLoopPlan): Promise<Measurement> {
    // The reply's type follows from the request's kind; see client-main.
    return (await this.#request({ kind: 'closedLoop', plan })) as Measurement;
  }

  async besideLarge(plan: BesideLargePlan): Promise<BesideLargeMeasurement> {
    return (await this.#request({ kind: 'besideLarge', plan })) as BesideLargeMeasurement;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.connected) this.#child.disconnect();
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(killer);
  }

  #request(request: ClientRequest): Promise<ClientResult> {
    const reply = this.#reply();
    this.#child.send(request);
    return reply;
  }

  #reply(): Promise<ClientResult> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#child
          .removeListener('message', onMessage)
          .removeListener('exit', onExit)
          .removeListener('error', onError);
        act();
      };
      const onError = (error: Error) => settle(() => reject(error));
      const onExit = () => settle(() => reject(new Error(`the process of client ${this.#name} ended`)));
      const onMessage = (reply: ClientReply) =>
        settle(() => {
          if ('result' in reply) resolve(reply.result);
          else reject(new Error(`${this.#name}: ${reply.trouble}`));
        });
      this.#child.once('message', onMessage).once('exit', onExit).once('error', onError);
    });
  }
}
