import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a process of callers is started with. */
export interface CallersSetting {
  readonly endpoints: readonly string[];
  readonly url: string;
}

/** All calls are made at once. */
export interface CallersOrder {
  readonly way: Way;
  readonly key: number;
  readonly calls: number;
}

export type Way = 'readThrough' | 'getOrSet';

export interface CallersReport {
  /** Calls by what they gave: a row's name, or the code of an error. */
  readonly results: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

/** Client processes, each with a client and a PostgreSQL connection of its own, that all ask for one key at once. */
export class Callers {
  static async start(count: number, setting: CallersSetting): Promise<Callers> {
    const script = fileURLToPath(new URL('./callers-main.js', import.meta.url));
    const children = Array.from({ length: count }, () => fork(script, [JSON.stringify(setting)]));
    await Promise.all(children.map((child) => once(child, 'message')));
    return new Callers(children);
  }

  private constructor(readonly children: readonly ChildProcess[]) {}

  /** Resolves when all have their answers. */
  async ask(order: CallersOrder): Promise<CallersReport> {
    const reports = await Promise.all(this.children.map((child) => reportOf(child, order)));
    const results: Record<string, number> = {};
    for (const report of reports) {
      for (const [result, count] of Object.entries(report.results)) results[result] = (results[result] ?? 0) + count;
    }
    return { results, slowestMs: Math.max(...reports.map(({ slowestMs }) => slowestMs)) };
  }

  async stop(): Promise<void> {
    const running = this.children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const ends = running.map((child) => once(child, 'exit'));
    for (const child of running) child.disconnect();
    await Promise.all(ends);
  }
}

async function reportOf(child: ChildProcess, order: CallersOrder): Promise<CallersReport> {
  const answered = once(child, 'message');
  child.send(order);
  const gone = once(child, 'exit').then(() => Promise.reject(new Error('a process of callers has ended')));
  gone.catch(() => {});
  const [report] = (await Promise.race([answered, gone])) as [CallersReport];
  return report;
}
