import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CallTimes } from './open-loop.js';

export interface ReaderSetting {
  readonly endpoints: readonly string[];
  readonly cache: string;
  readonly rows: number;
  readonly perSecond: number;
  readonly seed: number;
}

/** The parent's handle on a process that runs `reader-main.js`. */
export class ReaderProcess {
  private constructor(readonly child: ChildProcess) {}

  /** Resolves when it reads. */
  static async start(setting: ReaderSetting): Promise<ReaderProcess> {
    const script = fileURLToPath(new URL('./reader-main.js', import.meta.url));
    const child = spawn(process.execPath, [script, JSON.stringify(setting)], {
      // Whatever it prints must not reach stdout, whose last line is the result.
      stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    });
    await messageOf(child);
    return new ReaderProcess(child);
  }

  /** Ends it. Resolves with the times of all its calls. */
  async stop(): Promise<CallTimes> {
    const times = messageOf(this.child);
    this.child.send('stop');
    // The only message after the first one; see reader-main.
    return (await times) as CallTimes;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

async function messageOf(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`a reader ended with exit code ${code}`);
  });
  const [message] = await Promise.race([once(child, 'message'), ended]);
  ended.catch(() => {});
  return message;
}
