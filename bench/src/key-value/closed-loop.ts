import { Histogram } from '@larder/base';
import type { KeyValueClient } from '../rivals/client.js';
import { KEYS, nextKeyIndex, VALUE_BYTES, valueFor } from './key-space.js';
import { processesCpuUs } from './server-cpu.js';

/**
 * A closed loop: N callers, each awaits its operation before it issues the next. The callers run through a warm-up and
 * on through the measured window without a pause, so that the window sees a steady state.
 *
 *   |--- warm-up ---|------- window -------|- stop -|
 *                   ^ CPU times read       ^ CPU times read; what completes later is not counted
 *
 * One clock reading and one histogram step an operation, about 55 ns together, for every client alike: the end of an
 * operation is the start of its caller's next one.
 */
export type Operation = 'get' | 'set';

export interface ClosedLoopPlan {
  readonly operation: Operation;
  readonly concurrency: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
}

export interface Measurement {
  /** Operations a second. */
  readonly ops: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** User and system time of the client's process for one operation, in microseconds. */
  readonly clientCpuUs: number;
  /** The same of the server's process; null where there is no /proc. */
  readonly serverCpuUs: number | null;
}

export async function closedLoop(
  client: KeyValueClient,
  serverPids: readonly number[],
  plan: ClosedLoopPlan,
): Promise<Measurement> {
  const window = new MeasuredWindow(plan.warmUpMs, plan.windowMs, serverPids);
  const caller = plan.operation === 'get' ? getUntilOver : setUntilOver;
  const callers = Array.from({ length: plan.concurrency }, () => caller(client, window));
  await Promise.all(callers);
  return window.measurement();
}

export async function getUntilOver(client: KeyValueClient, window: MeasuredWindow): Promise<void> {
  let startMs = performance.now();
  while (!window.isOver) {
    const key = KEYS[nextKeyIndex()]!;
    const value = await client.get(key);
    if (value?.length !== VALUE_BYTES)
      throw new Error(`get of ${key} gave ${value?.length ?? 'no'} bytes, not ${VALUE_BYTES}`);
    startMs = window.completed(startMs);
  }
}

export async function setUntilOver(client: KeyValueClient, window: MeasuredWindow): Promise<void> {
  let startMs = performance.now();
  while (!window.isOver) {
    const index = nextKeyIndex();
    await client.set(KEYS[index]!, valueFor(index));
    startMs = window.completed(startMs);
  }
}

export class MeasuredWindow {
  /** Callers stop when they see this. */
  isOver = false;
  readonly #histogram = new Histogram();
  readonly #serverPids: readonly number[];
  readonly #windowMs: number;
  #edgeMs: number;
  #isMeasuring = false;
  #startMs = 0;
  #clientCpuUs = 0;
  #serverCpuUs: number | null = 0;
  #measurement: Measurement | undefined;

  constructor(warmUpMs: number, windowMs: number, serverPids: readonly number[]) {
    this.#serverPids = serverPids;
    this.#windowMs = windowMs;
    this.#edgeMs = performance.now() + warmUpMs;
  }

  /** Whether what completes now counts. */
  get isMeasuring(): boolean {
    return this.#isMeasuring;
  }

  /** Notes an operation that began at `startMs` and ended now; returns the time now. */
  completed(startMs: number): number {
    const nowMs = performance.now();
    if (this.#isMeasuring) this.#histogram.record(nowMs - startMs);
    if (nowMs >= this.#edgeMs) this.#crossEdge(nowMs);
    return nowMs;
  }

  measurement(): Measurement {
    if (this.#measurement === undefined) throw new Error('no operation completed within the measured window');
    return this.#measurement;
  }

  #crossEdge(nowMs: number): void {
    const clientCpu = process.cpuUsage();
    const clientCpuUs = clientCpu.user + clientCpu.system;
    const serverCpuUs = processesCpuUs(this.#serverPids);
    if (this.#isMeasuring) {
      this.#close(nowMs - this.#startMs, clientCpuUs, serverCpuUs);
      return;
    }
    if (this.isOver) return;
    this.#isMeasuring = true;
    this.#startMs = nowMs;
    this.#edgeMs = nowMs + this.#windowMs;
    this.#clientCpuUs = clientCpuUs;
    this.#serverCpuUs = serverCpuUs;
  }

  #close(elapsedMs: number, clientCpuUs: number, serverCpuUs: number | null): void {
    this.#isMeasuring = false;
    this.isOver = true;
    this.#edgeMs = Number.POSITIVE_INFINITY;
    const count = this.#histogram.count;
    this.#measurement = {
      ops: Math.round((count / elapsedMs) * 1_000),
      p50Ms: rounded(this.#histogram.percentileMs(0.5)),
      p99Ms: rounded(this.#histogram.percentileMs(0.99)),
      clientCpuUs: rounded((clientCpuUs - this.#clientCpuUs) / count),
      serverCpuUs:
        serverCpuUs === null || this.#serverCpuUs === null ? null : rounded((serverCpuUs - this.#serverCpuUs) / count),
    };
  }
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
